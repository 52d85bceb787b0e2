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
from worker.adapters.qdrant_layout import DENSE, SPARSE, alias_of, require_fit

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
    if (found := find_collection(url, api_key, model)) is not None:
        require_vectors(model, found)


def find_collection(
    url: str, api_key: str | None, model: EmbeddingModel, timeout: float = _TIMEOUT
) -> dict[str, Any] | None:
    """Return what Qdrant says about the model's collection; None if there is none yet. ``timeout``: seconds.

    Raises:
        BadCredentials, WrongAddress, ServiceUnavailable: As ``require_room`` says.
    """
    reply = _ask(url, f"/collections/{alias_of(model)}", api_key, timeout)
    found = None if reply is None else reply.get("result")
    return found if isinstance(found, dict) else None


def require_vectors(model: EmbeddingModel, collection: dict[str, Any]) -> None:
    """Return if the collection that ``find_collection`` found holds vectors of the model.

    Raises:
        DimensionMismatch: It holds others.
    """
    dense = collection.get("config", {}).get("params", {}).get("vectors", {}).get(DENSE, {})
    require_fit(model, dense.get("size"), dense.get("distance"))


def has_sparse(collection: dict[str, Any]) -> bool:
    """Return whether points of the collection that ``find_collection`` found may have a sparse vector."""
    return SPARSE in (collection.get("config", {}).get("params", {}).get("sparse_vectors") or {})


def server_version(url: str, api_key: str | None, timeout: float = _TIMEOUT) -> str:
    """Return the version that the server says it has. ``timeout``: seconds.

    Raises:
        BadCredentials, WrongAddress, ServiceUnavailable: As ``require_room`` says.
    """
    reply = _ask(url, "/", api_key, timeout)
    if reply is None or not isinstance(reply.get("version"), str):
        raise WrongAddress
    return str(reply["version"])


def _ask(url: str, path: str, api_key: str | None, timeout: float) -> dict[str, Any] | None:
    base = _base(url)
    headers = {"api-key": api_key} if api_key else {}
    try:
        request = Request(base + path, headers=headers)  # noqa: S310  _base admits http and https only
        with urlopen(request, timeout=timeout) as reply:  # noqa: S310  the same
            return _decoded(reply.read())
    except HTTPError as exc:
        with exc:
            _judge_refusal(exc.code, exc.read())
        return None
    except (OSError, HTTPException) as exc:
        raise ServiceUnavailable(
            "Qdrant", f"Qdrant does not answer at {base}; check that it runs and that QDRANT_URL is right."
        ) from exc


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
