"""Every error answers one question: is it worth trying again?

::

    IngestError
    ├── TransientError        try again later; no attempt is burnt
    │   ├── RateLimited(retry_after)
    │   ├── ServiceUnavailable(service)
    │   └── NotBegun
    ├── PermanentError        this document will never work as it is
    │   ├── UnsupportedMediaType
    │   ├── MalformedDocument
    │   ├── TooLarge
    │   ├── Unreadable
    │   └── InputRejected
    └── MisconfiguredError    an operator must act; nothing is tried until then
        ├── DimensionMismatch
        ├── BadCredentials
        ├── SchemaMismatch
        └── UnknownProject
    ClaimLost                 no error: the lease was taken over, so nothing of ours may be written

The docstring of a class is its default message.
"""

from __future__ import annotations

#: Characters of an error message that are kept.
MESSAGE_LENGTH = 2_000
#: Characters of a traceback that are kept: its end, where the error is.
TRACE_LENGTH = 8_000


class IngestError(Exception):
    """Ingestion failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def code(self) -> str:
        """The class name: the stable word that rows, reports and the API show."""
        return type(self).__name__


class TransientError(IngestError):
    """A passing fault; the same work is worth trying again later."""

    def __init__(self, message: str | None = None, status: int | None = None) -> None:
        super().__init__(message)
        #: How a provider answered that it failed at this very call; None: it was not asked, or did not answer.
        self.status = status


class RateLimited(TransientError):
    """The provider asks for fewer requests; the slice is handed back until it allows them again."""

    def __init__(self, retry_after: float, message: str | None = None, status: int | None = None) -> None:
        super().__init__(message, status)
        self.retry_after = retry_after  #: seconds


class ServiceUnavailable(TransientError):
    """A service does not answer; check that it runs and that its address is right."""

    def __init__(self, service: str, message: str | None = None, status: int | None = None) -> None:
        said = message or f"{service} does not answer; check that it runs and that its address is right."
        super().__init__(said, status)
        self.service = service


class NotBegun(TransientError):
    """The call was not sent, because its stage is to stop; it is made when the stage goes on."""


class PermanentError(IngestError):
    """This document cannot be processed as it is; change the file or the policy."""


class UnsupportedMediaType(PermanentError):
    """The file is not text; exclude it, or convert it to text first."""


class MalformedDocument(PermanentError):
    """The file's content cannot be read as what it says it is; repair the file."""


class TooLarge(PermanentError):
    """The file is larger than the limit; raise MOBIUS_MAX_FILE_BYTES or exclude it."""


class Unreadable(PermanentError):
    """The file cannot be read; check its permissions and run the ingestion again."""


class InputRejected(PermanentError):
    """The embedding provider refuses this input; shorten or exclude the file."""


class MisconfiguredError(IngestError):
    """The configuration does not fit; an operator must change it before anything is tried again."""


class DimensionMismatch(MisconfiguredError):
    """Vectors and collection differ in their number of dimensions; use the model that filled it, or drop it."""


class BadCredentials(MisconfiguredError):
    """The service refuses the credentials; set the right key and restart the workers."""


class SchemaMismatch(MisconfiguredError):
    """The database schema is not the one this version needs; run `mobius migrate` with the matching version."""


class UnknownProject(MisconfiguredError):
    """There is no such project; ingest something into it first, or check the name with `mobius runs`."""


class ClaimLost(Exception):
    """The lease on this stage was taken over; nothing was written."""


def storable(message: str) -> str:
    """Return a message that fits a text column: bounded, without the NUL and half surrogates that Postgres refuses."""
    return _plain(message)[:MESSAGE_LENGTH]


def storable_trace(trace: str) -> str:
    """Return the end of a traceback, made to fit a text column as a message is."""
    return _plain(trace)[-TRACE_LENGTH:]


def _plain(text: str) -> str:
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()
