"""Make one call to Qdrant: quick retries for passing faults, and every client error translated by type and status.

All our writes are conditional on generations, so repeating one that was applied changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from json import JSONDecodeError
from typing import ParamSpec, TypeVar

import httpx
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import QdrantException, ResourceExhaustedResponse
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from pipeline.errors import BadCredentials, IngestError, MisconfiguredError, RateLimited, ServiceUnavailable

P = ParamSpec("P")
T = TypeVar("T")

#: Tries of one call, and the longest wait between two of them in seconds.
_TRIES = 3
_LONGEST_WAIT = 2.0

#: Calls made at once; each holds its request in memory, up to some tens of MB.
_AT_ONCE = 3

#: Connections kept open for reuse. The client by itself keeps none to a local server.
_CONNECTIONS = httpx.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=30)


class MissingCollection(ServiceUnavailable):
    """The collection or its alias does not exist; it was dropped, or never made."""

    def __init__(self) -> None:
        super().__init__("Qdrant", self.__doc__)


class RequestRefused(MisconfiguredError):
    """Qdrant refuses a request of ours; check that its version is supported and its limits are not too tight."""


def connect_qdrant(url: str, api_key: str | None = None, timeout: float = 30.0) -> QdrantClient:
    """Return a client of the server at ``url``; nothing is sent until the first call. ``timeout``: seconds."""
    # The key goes in as a header because the client's own parameter warns about every plain-text URL, the ones on
    # this machine or in one compose network included.
    headers = {"api-key": api_key} if api_key else None
    return QdrantClient(
        url=url, timeout=max(1, round(timeout)), headers=headers, check_compatibility=False, limits=_CONNECTIONS
    )


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what ``function``, a method of the client, returns for these arguments.

    Raises:
        MissingCollection: The server knows no such collection.
        ServiceUnavailable: It does not answer, or answers with a fault of its own, three times.
        RateLimited: It asks to wait.
        BadCredentials: It refuses the key.
        RequestRefused: It refuses the request.
    """
    quick = Retrying(
        stop=stop_after_attempt(_TRIES),
        wait=wait_random_exponential(multiplier=0.1, max=_LONGEST_WAIT),
        retry=retry_if_exception(_is_passing),
        reraise=True,
    )
    try:
        return quick(function, *args, **kwargs)
    except (ApiException, QdrantException, JSONDecodeError) as exc:
        raise _translated(exc) from exc


def side_by_side(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Make several calls, a few at once, and return what they return, in order.

    While the server works on one, the next is put into words. When one fails, the others are made all the same.

    Raises:
        IngestError: What the first of the failed ones raised.
    """
    if len(calls) < 2:
        return [each() for each in calls]
    with ThreadPoolExecutor(min(len(calls), _AT_ONCE)) as pool:
        made = [pool.submit(each) for each in calls]
    return [each.result() for each in made]


def _is_passing(exc: BaseException) -> bool:
    if isinstance(exc, UnexpectedResponse):
        return (exc.status_code or 0) >= 500
    if isinstance(exc, ResponseHandlingException):
        # A call that timed out has already waited as long as anyone wants to wait.
        return isinstance(exc.source, httpx.TransportError) and not isinstance(exc.source, httpx.TimeoutException)
    return False


def _translated(exc: Exception) -> IngestError:
    if isinstance(exc, ResourceExhaustedResponse):
        return RateLimited(float(exc.retry_after_s), "Qdrant asks for fewer requests.")
    if not isinstance(exc, UnexpectedResponse) or exc.status_code is None:
        return ServiceUnavailable("Qdrant")
    if exc.status_code in {401, 403}:
        return BadCredentials("Qdrant refuses the key; set the right QDRANT_API_KEY and restart the workers.")
    if exc.status_code == 404:
        return MissingCollection()
    if exc.status_code in {408, 425, 429} or exc.status_code >= 500:
        return ServiceUnavailable("Qdrant", f"Qdrant answers with status {exc.status_code}; look into its log.")
    detail = exc.content[:300].decode(errors="replace")
    return RequestRefused(f"{RequestRefused.__doc__} Status {exc.status_code}: {detail}")
