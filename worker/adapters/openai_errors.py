"""Say what a failed call to an OpenAI-compatible endpoint means to us, by type, status and error code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from openai import APIConnectionError, APIStatusError, APITimeoutError

from pipeline.errors import (
    BadCredentials,
    IngestError,
    InputRejected,
    MisconfiguredError,
    RateLimited,
    ServiceUnavailable,
)
from worker.adapters.openai_reply import SERVICE

#: Seconds to wait after a 429 that does not say how long, and at most whatever it says.
_DEFAULT_WAIT = 10.0
_LONGEST_WAIT = 3_600.0

#: Parameters of ours that a provider may refuse, whatever the texts are.
_SETTINGS = frozenset({"model", "dimensions", "encoding_format"})

#: Below 500, what may be gone the next time. With 424 text-embeddings-inference says that its model failed at a text.
_PASSING = frozenset({408, 409, 424, 425})


class QuotaExhausted(MisconfiguredError):
    """The embedding provider's quota is used up; raise it, then run the ingestion again."""


class RequestRefused(MisconfiguredError):
    """The embedding provider refuses the request; check the model's name, its dimensions and the base URL."""


class UnusableEndpoint(MisconfiguredError):
    """No request can be made to the embedding provider; check OPENAI_BASE_URL and OPENAI_API_KEY for odd characters."""


def is_passing(exc: BaseException) -> bool:
    """Whether another try within seconds makes sense. A 429 is no failure, and a timeout has waited already."""
    if isinstance(exc, APIStatusError):
        return exc.status_code >= 500
    return isinstance(exc, APIConnectionError) and not isinstance(exc, APITimeoutError)


def translated(exc: Exception) -> IngestError:
    """Return our error for one of the client's."""
    if not isinstance(exc, APIStatusError):
        return UnusableEndpoint() if isinstance(exc, ValueError) else ServiceUnavailable(SERVICE)
    if exc.status_code == 429:
        return _too_many(exc)
    if exc.status_code in {401, 403}:
        return BadCredentials(f"{SERVICE} refuses the key; set the right OPENAI_API_KEY and restart the workers.")
    if exc.status_code in {400, 413, 422} and exc.param not in _SETTINGS and exc.code != "model_not_found":
        return InputRejected()
    if exc.status_code in _PASSING or exc.status_code >= 500:
        said = f"{SERVICE} answers with status {exc.status_code}; look at its status page."
        return ServiceUnavailable(SERVICE, said, exc.status_code)
    return RequestRefused(f"{RequestRefused.__doc__} It answers with status {exc.status_code}.")


def _too_many(exc: APIStatusError) -> IngestError:
    if exc.code == "insufficient_quota":
        return QuotaExhausted()
    return RateLimited(retry_after(exc.response.headers, datetime.now(UTC)), f"{SERVICE} asks for fewer requests.")


def retry_after(headers: Mapping[str, str], now: datetime) -> float:
    """Return how many seconds a 429 asks to wait: ``Retry-After-Ms``, or ``Retry-After`` in seconds or as a date.

    A date is held against the answer's own ``Date``; only without one against ``now``, for our clock may be wrong.
    """
    text = headers.get("retry-after", "")
    seconds = _number(headers.get("retry-after-ms", "")) / 1000
    if math.isnan(seconds):
        seconds = _number(text)
    if math.isnan(seconds):
        seconds = _seconds_until(text, _date(headers.get("date", "")) or now)
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _seconds_until(text: str, now: datetime) -> float:
    when = _date(text)
    return _DEFAULT_WAIT if when is None else when.timestamp() - now.timestamp()


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
