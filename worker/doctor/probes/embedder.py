"""Ask the embedding provider for its list of models, which costs nothing and sends no text."""

from __future__ import annotations

import httpx

from worker.doctor.embedder import ProviderSeen
from worker.doctor.findings import Silence
from worker.local.urls import masked
from worker.settings import Settings

#: For one answer (seconds).
_TIMEOUT = 3.0
_DEFAULT = "https://api.openai.com/v1"


def look(settings: Settings) -> ProviderSeen | Silence | None:
    """Return how the provider answers; None where the embedder is local."""
    if settings.embedder != "openai":
        return None
    base = (settings.openai_base_url or _DEFAULT).rstrip("/")
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
    try:
        # A redirection is not followed: the key is meant for this address alone.
        reply = httpx.get(f"{base}/models", headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as exc:
        return Silence(
            f"the provider does not answer at {masked(base)} ({type(exc).__name__})",
            "check OPENAI_BASE_URL, and that this machine may reach it.",
        )
    return ProviderSeen(masked(base), reply.status_code, _models(reply))


def _models(reply: httpx.Response) -> frozenset[str] | None:
    try:
        return frozenset(str(each["id"]) for each in reply.json()["data"]) if reply.is_success else None
    except (ValueError, KeyError, TypeError):
        return None
