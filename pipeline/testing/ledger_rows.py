"""What a ledger in memory remembers: one frozen row per fact, named as the tables and columns of ``models/`` are.

Times are seconds of the ledger's clock. Rows are never changed, only replaced, so a row that a test has kept stays
what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pipeline.intake import PlanSummary
from pipeline.states import DocumentState, Outcome, PlanState, SliceState
from pipeline.types import Action, Chunk, Priority, Stage, Vector
from pipeline.upsert import CommittedChunk


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run; ``summary`` is None until its plan is closed. The times are those of an operator's requests."""

    id: UUID
    source_id: UUID
    priority: Priority
    plan_state: PlanState
    summary: PlanSummary | None = None
    paused_at: float | None = None
    cancelled_at: float | None = None


@dataclass(frozen=True, slots=True)
class SliceRow:
    """A slice: its stage and the send that is current, who holds it until when, its last trouble, what it counted."""

    id: UUID
    run_id: UUID
    stage: Stage
    priority: Priority
    created_at: float
    state: SliceState = SliceState.READY
    seq: int = 0
    owner: UUID | None = None
    worker: str = ""
    lease_until: float | None = None
    attempts: int = 0
    losses: int = 0
    lapsed: tuple[str, ...] = ()
    not_before: float | None = None
    dispatched_at: float | None = None
    finished_at: float | None = None
    error: str = ""
    message: str = ""
    trace: str = ""
    chunks_total: int = 0
    embedding_calls: int = 0
    embedding_inputs: int = 0
    embedding_tokens: int = 0
    points_written: int = 0
    points_updated: int = 0
    points_deleted: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document: its newest accepted generation, the committed one and the one that was read back."""

    id: UUID
    source_id: UUID
    path: str
    language: str
    state: DocumentState
    generation: int
    revision: bytes | None = None
    size: int = 0
    stat: str = ""
    committed_generation: int = 0
    committed_revision: bytes | None = None
    encoding: str = ""
    imports: tuple[str, ...] = ()
    indexed_generation: int = 0
    versions: str = ""
    error: str = ""
    message: str = ""
    deleted_at: float | None = None
    traits: tuple[str, ...] | None = None
    newlines: str = ""


@dataclass(frozen=True, slots=True)
class RunDocumentRow:
    """What one run is to do to one document, and how it ended. ``slice_id`` is None where no slice was needed."""

    run_id: UUID
    document_id: UUID
    slice_id: UUID | None
    action: Action
    is_new: bool
    generation: int
    revision: bytes | None
    outcome: Outcome = Outcome.PENDING
    error: str = ""
    message: str = ""
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class ChunkSetRow:
    """The packed chunks of one generation of a document, on their way to the index."""

    count: int
    encoding: str
    packed: bytes


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A committed chunk. ``generation`` is the one that last wrote its point; retired ones await their deletion."""

    chunk: Chunk
    document_id: UUID
    model_id: UUID
    generation: int
    retired_at: float | None = None

    def committed(self) -> CommittedChunk:
        """Return it as the upsert stage sees it."""
        return CommittedChunk(self.chunk, self.model_id, self.generation, is_retired=self.retired_at is not None)


@dataclass(frozen=True, slots=True)
class EmbeddingRow:
    """A bought vector, or the slice that is about to buy it: exactly one of the two is there."""

    vector: Vector | None
    claimed_by: UUID | None


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A document that was given up on."""

    document_id: UUID
    run_id: UUID
    generation: int
    stage: Stage
    attempts: int
    worker: str
    error: str
    message: str
    trace: str = ""
