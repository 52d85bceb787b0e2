"""Look at Flower as a stranger would: without a password, and without changing anything."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import httpx

from worker.doctor.findings import Silence
from worker.doctor.flower import Api, FlowerSeen, listens_beyond_loopback
from worker.local.urls import masked

#: For one answer (seconds).
_TIMEOUT = 2.0
_HERE = {"127.0.0.1", "::1", "localhost"}
#: Flower refuses this because it is read only (403), because the API is closed (401), or because there is no such
#: worker (404): then it would have done it.
_NOBODY = "/api/worker/pool/grow/no-such-worker@mobius-doctor"


def look(url: str | None) -> FlowerSeen | Silence | None:
    """Return how Flower answers a stranger; None where nobody knows of one."""
    if not url:
        return None
    address = masked(url).rpartition("***@")[2]
    try:
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        # No proxies and no passwords from the environment or a netrc file: a stranger has none.
        with httpx.Client(timeout=_TIMEOUT, trust_env=False) as client:
            front = client.get(f"{base}/")
            api = client.post(base + _NOBODY)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        return Silence(
            f"Flower does not answer at {address} ({type(exc).__name__})",
            "start it, or correct MOBIUS_FLOWER_URL; unset that if there is none.",
        )
    asks_login = front.status_code in {301, 302, 303, 307, 308, 401, 403}
    if not asks_login and not front.is_success:
        return Silence(
            f"what answers at {address} with status {front.status_code} is no Flower",
            "correct MOBIUS_FLOWER_URL; with --url-prefix, the prefix belongs to it.",
        )
    return FlowerSeen(
        address=address,
        asks_login=asks_login,
        api={403: Api.READ_ONLY, 404: Api.OPEN}.get(api.status_code, Api.CLOSED) if not asks_login else Api.CLOSED,
        is_exposed=_is_exposed(parts.hostname or "", port),
        is_encrypted=parts.scheme == "https",
    )


def _is_exposed(host: str, port: int) -> bool | None:
    if host not in _HERE:
        return True
    tables = [Path(f"/proc/net/{name}") for name in ("tcp", "tcp6")]
    try:
        return listens_beyond_loopback(port, [table.read_text() for table in tables if table.exists()])
    except OSError:
        return None
