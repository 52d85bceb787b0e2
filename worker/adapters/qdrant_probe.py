"""Ask Qdrant one question before work is sent its way: would it take this model's points?

A producer writes no points itself; the client library takes longer to import than a small ingestion takes to run.
"""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pipeline.errors import BadCredentials, MisconfiguredError, ServiceUnavailable
from pipeline.types import EmbeddingModel
from worker.adapters.qdrant_layout import DENSE, alias_of, require_fit

#: Seconds to wait for the answer.
_TIMEOUT = 5.0
#: Where Qdrant listens when its address names no port; the client assumes the same.
_DEFAULT_PORT = 6333


class WrongAddress(MisconfiguredError):
    """QDRANT_URL is not the address of a Qdrant server; set it to http://HOST:PORT."""


def require_room(url: str, api_key: str | None, model: EmbeddingModel) -> None:
    """Return if Qdrant answers, takes the key, and holds this model's collection or none yet (workers make it).

    Raises:
        DimensionMismatch: The collection holds other vectors.
        BadCredentials: The key is refused.
        WrongAddress: There is no Qdrant at this address.
        ServiceUnavailable: Nothing answers there, or only with a fault of its own.
    """
    address = f"{_base(url)}/collections/{alias_of(model)}"
    headers = {"api-key": api_key} if api_key else {}
    try:
        request = Request(address, headers=headers)  # noqa: S310  _base admits http and https only
        with urlopen(request, timeout=_TIMEOUT) as reply:  # noqa: S310  the same
            found = _decoded(reply.read())
    except HTTPError as exc:
        with exc:
            _judge_refusal(exc.code, exc.read())
        return
    except (OSError, HTTPException) as exc:
        raise ServiceUnavailable(
            "Qdrant", f"Qdrant does not answer at {_base(url)}; check that it runs and that QDRANT_URL is right."
        ) from exc
    vectors = found.get("result", {}).get("config", {}).get("params", {}).get("vectors", {})
    dense = vectors.get(DENSE, {})
    require_fit(model, dense.get("size"), dense.get("distance"))


def _base(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port or _DEFAULT_PORT
    except ValueError as exc:
        raise WrongAddress from exc
    if parts.scheme not in {"http", "https"} or not host:
        raise WrongAddress
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"


def _judge_refusal(status: int, body: bytes) -> None:
    if status in {401, 403}:
        raise BadCredentials("Qdrant refuses the key; set the right QDRANT_API_KEY and restart the workers.")
    if status in {408, 425, 429} or status >= 500:
        raise ServiceUnavailable("Qdrant", f"Qdrant answers with status {status}; look into its log.")
    if status != 404 or "status" not in _decoded(body):
        raise WrongAddress


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError as exc:
        raise WrongAddress from exc
    if not isinstance(found, dict):
        raise WrongAddress
    return found
