"""What users and operators are told about a run; the field names are the report's JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pipeline.facts import ChunkFacts
from pipeline.states import RunState


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """Documents of a run. ``seen`` is what the walk met; the others say what became of them."""

    seen: int
    new: int
    changed: int
    unchanged: int
    skipped: int
    deleted: int
    superseded: int
    indexed: int
    failed: int
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """Chunks of the run's new and changed documents. ``reused`` needed no embedding."""

    total: int
    embedded: int
    reused: int


@dataclass(frozen=True, slots=True)
class PointCounts:
    """Points of the index; ``updated`` got a new payload only."""

    written: int
    updated: int
    deleted: int


@dataclass(frozen=True, slots=True)
class EmbeddingCounts:
    """What was bought from the provider. ``tokens`` is its own count."""

    model: str
    calls: int
    inputs: int
    tokens: int


@dataclass(frozen=True, slots=True)
class DocumentError:
    """A document that failed in the run, and why."""

    path: str
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class SkipCount:
    """How many files a reason kept out."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class RunReport:
    """Everything about one run, at one moment."""

    run_id: UUID
    project: str
    source: str
    state: RunState
    documents: DocumentCounts
    chunks: ChunkCounts
    points: PointCounts
    embedding: EmbeddingCounts
    seconds: float
    errors: tuple[DocumentError, ...]
    skipped: tuple[SkipCount, ...]
    #: Why deletions were withheld or the walk was partial; empty where all went well.
    message: str


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is: documents by the stage that their slice is at, and the finished ones."""

    state: RunState
    pending: int
    finished: int
    by_stage: dict[str, int]
    #: The latest trouble of a slice that is not done; empty where there is none.
    error: str
    message: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """One line of the list of runs."""

    run_id: UUID
    project: str
    source: str
    state: RunState
    documents: int
    failed: int
    started_at: datetime


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk that a search found. ``scope`` names the enclosing definitions from the outside in.

    ``facts`` is None where the language has none, or where the chunk was made before they were recorded.
    """

    path: str
    start_line: int
    end_line: int
    language: str
    kind: str
    name: str
    scope: tuple[str, ...]
    score: float
    text: str
    traits: tuple[str, ...] = ()
    facts: ChunkFacts | None = None


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where one file is: what the ledger knows, and what happens next."""

    document_id: UUID
    path: str
    project: str
    source: str
    state: str
    language: str
    #: What the committed text was read as; empty where nothing is committed.
    encoding: str
    newlines: str
    traits: tuple[str, ...]
    generation: int
    indexed_generation: int
    chunks: int
    imports: tuple[str, ...]
    run_id: UUID | None
    slice_id: UUID | None
    stage: str
    slice_state: str
    attempts: int
    holder: str
    error: str
    message: str
    next_action: str
    #: What was given up on, while nobody took care of it.
    dead_letter_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RunDocumentLine:
    """One document of a run: what was to be done to it, and how that ended. ``state`` is the document's own, now."""

    document_id: UUID
    path: str
    action: str
    outcome: str
    state: str
    generation: int
    error: str
    message: str
    slice_id: UUID | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class SliceReport:
    """What the ledger knows of a slice. ``worker`` holds it or held it last."""

    slice_id: UUID
    run_id: UUID
    project: str
    source: str
    stage: str
    seq: int
    state: str
    attempts: int
    worker: str
    lease_until: datetime | None
    not_before: datetime | None
    dispatched_at: datetime | None
    finished_at: datetime | None
    error: str
    message: str
