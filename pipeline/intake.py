"""What a producer hands the ledger: sources to plan in, and the documents a plan accepted."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import TransientError
from pipeline.reading import NOTHING_SHOWN, Reading
from pipeline.types import Priority, Scope

#: Goes with every planned slice. Grows when slices may ask for what the workers of the version before cannot do: those
#: leave such a slice to newer ones (``pipeline.versions``).
SLICE_VERSION = 1


class SourceBusy(TransientError):
    """Another ingestion is planning this source; wait for it to finish, or look at it with `mobius runs`."""


class PlanTakenOver(TransientError):
    """The plan was given up: its run was cancelled, or its connection lost; `mobius runs` says which; run it again."""


@dataclass(frozen=True, slots=True)
class SourceRef:
    """A source that exists in the ledger, with the names a user knows it by."""

    id: UUID
    scope: Scope
    tenant: str
    project: str
    name: str
    root: str


@dataclass(frozen=True, slots=True)
class AcceptedDocument:
    """A new revision that a run takes on. ``stat`` is empty where it is too fresh to be trusted later."""

    path: str
    language: str
    data: bytes
    revision: bytes
    stat: str
    is_new: bool
    #: Another run is bringing the same revision in; this one can wait for that instead of doing it again.
    is_in_flight: bool = False
    reading: Reading = NOTHING_SHOWN


@dataclass(frozen=True, slots=True)
class FreshStatus:
    """What reading an unchanged document showed anew, at the generation the plan saw."""

    document_id: UUID
    generation: int
    stat: str
    reading: Reading = NOTHING_SHOWN


@dataclass(frozen=True, slots=True)
class AcceptedDeletion:
    """A document to take out, at the generation the plan saw."""

    document_id: UUID
    generation: int


@dataclass(frozen=True, slots=True)
class BrokenDocument:
    """A file that could not be read: recorded as failed; what is indexed of it stays as it is."""

    path: str
    error: str
    message: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """What a finished plan leaves on its run. ``skipped`` counts by reason; ``withheld`` deletions wait."""

    seen: int
    unchanged: int
    skipped: dict[str, int]
    withheld: int
    message: str
    is_complete: bool


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is being planned."""

    id: UUID
    source: SourceRef
    priority: Priority
