"""What endpoints take and return beyond the reports of ``pipeline.report``, and how both are documented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Query
from pydantic import AfterValidator, BeforeValidator

from pipeline.report import SearchHit, SliceReport
from pipeline.search import SearchMode
from pipeline.traits import Trait, traits_called
from worker.api.errors import ProblemReply
from worker.api.results import Belief
from worker.naming import fault_of

_MESSAGES: dict[int | tuple[int, str], tuple[str, str]] = {
    400: ("MalformedBody", "The body is no complete multipart/form-data; send it again."),
    401: ("Unauthorized", "This needs a valid API key: send `Authorization: Bearer KEY`."),
    404: ("NotFound", "there is no run 0b6f3a52-1c1e-4a57-9a44-0d6a1a1b9a10 in the tenant of this key."),
    409: ("SourceBusy", "Another ingestion is planning this source; send the request again when it is done."),
    (409, "RunEnded"): ("RunEnded", "The run has ended already, so there is nothing left of it to cancel."),
    (409, "Closed"): ("Closed", "it is dropped already; ingest the document again."),
    413: ("UploadTooLarge", "the upload has more than 67,108,864 bytes; send the files in several requests."),
    415: ("NotMultipart", "Files are sent as multipart/form-data, in one or more fields called `files`."),
    422: ("InvalidRequest", "query.limit: Input should be less than or equal to 100"),
    503: ("ServiceUnavailable", "Postgres does not answer; try again. /health/ready shows when it is back."),
    504: ("TooSlow", "A service did not answer in time; try again, and look at /health/ready if it lasts."),
}


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """An uploaded file that is no document, and why."""

    path: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class UploadAccepted:
    """What became of an upload. ``accepted`` files are committed and will be indexed whatever happens."""

    run_id: UUID
    project: str
    source: str
    accepted: int
    unchanged: int
    skipped: list[SkippedFile]


@dataclass(frozen=True, slots=True)
class Retried:
    """The run that takes the document through all stages again."""

    run_id: UUID
    documents: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many dead letters were open, and are not any more."""

    dropped: int


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task as Celery sees it beside its slice as the ledger knows it; only the ledger is true.

    ``is_current``: a worker that gets the task's message may work, or is at work. ``verdict`` says it in words.
    """

    task_id: str
    is_current: bool
    verdict: str
    celery: Belief
    ledger: SliceReport


@dataclass(frozen=True, slots=True)
class SearchReply:
    """The best chunks for a query, best first.

    ``mode`` is how they were ranked, and what the scores are: similarity of embeddings (dense, -1 to 1), weight of
    the words in common (sparse, above 0), or the sum of reciprocal ranks in both (hybrid, at most 0.034).
    """

    mode: SearchMode
    items: list[SearchHit]


@dataclass(frozen=True, slots=True)
class Alive:
    """The process answers."""

    status: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """``status``: ready, or degraded where only search and Celery's view are missing. ``services``: ok or down."""

    status: str
    services: dict[str, str]


def _checked(name: str) -> str:
    if fault := fault_of(name):
        raise ValueError(fault)
    return name


_Name = Annotated[str, AfterValidator(_checked)]

ProjectPath = Annotated[_Name, Path(alias="p", description="The project's name.")]
Traits = Annotated[list[Trait], BeforeValidator(traits_called)]
ProjectQuery = Annotated[_Name | None, Query(description="Only this project.")]


def described(example: object, *errors: int | tuple[int, str], success: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of an endpoint's replies: an example of success, and one of each error.

    An error is its status, and its code where several have the status.
    """
    found: dict[int | str, dict[str, Any]] = {success: {"content": {"application/json": {"example": example}}}}
    for error in errors:
        code, message = _MESSAGES[error]
        status = error if isinstance(error, int) else error[0]
        problem = {"error": {"code": code, "message": message, "request_id": "9f86d081884c4d65"}}
        found[status] = {"model": ProblemReply, "content": {"application/json": {"example": problem}}}
    return found
