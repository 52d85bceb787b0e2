"""The tables of a ledger in memory, the one lock over them, and transactions that happen whole or not at all.

The moves of slices and documents come from ``pipeline.states``, as the statements of the real ledger do: what is
not in those tables cannot happen here either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from pipeline.errors import ClaimLost, IngestError, storable
from pipeline.intake import SourceRef
from pipeline.states import (
    DOCUMENT_TRANSITIONS,
    SLICE_TRANSITIONS,
    DocumentEvent,
    Outcome,
    SliceEvent,
    SliceState,
)
from pipeline.testing.ledger_rows import (
    ChunkRow,
    ChunkSetRow,
    DeadLetterRow,
    DocumentRow,
    EmbeddingRow,
    RunDocumentRow,
    RunRow,
    SliceRow,
)
from pipeline.types import Action, Claim, EmbeddingModel, Failure

TABLES = (
    "sources",
    "runs",
    "slices",
    "documents",
    "run_documents",
    "blobs",
    "outlines",
    "chunk_sets",
    "chunks",
    "models",
    "embeddings",
    "dead_letters",
    "fleet_pauses",
)


class LedgerState:
    """Everything a ledger knows. A test may read the tables and, to set a scene, replace their rows.

    ``fault`` is raised by every transaction while it is set, as if the store did not answer. ``planners`` are the
    runs that hold their source's planning lock: source to run.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.fault: IngestError | None = None
        self.lock = threading.RLock()
        self.unlocked = threading.Condition(self.lock)
        self.planners: dict[UUID, UUID] = {}
        self.sources: dict[UUID, SourceRef] = {}
        self.runs: dict[UUID, RunRow] = {}
        self.slices: dict[UUID, SliceRow] = {}
        self.documents: dict[UUID, DocumentRow] = {}
        self.run_documents: dict[tuple[UUID, UUID], RunDocumentRow] = {}
        self.blobs: dict[bytes, bytes] = {}
        #: (revision, language, version) to the packed outline.
        self.outlines: dict[tuple[bytes, str, int], bytes] = {}
        #: (document, generation) to its chunk set.
        self.chunk_sets: dict[tuple[UUID, int], ChunkSetRow] = {}
        self.chunks: dict[UUID, ChunkRow] = {}
        #: Model id to the model and the header version it was registered with.
        self.models: dict[UUID, tuple[EmbeddingModel, int]] = {}
        #: (model, embed hash) to its vector or its buyer.
        self.embeddings: dict[tuple[UUID, bytes], EmbeddingRow] = {}
        #: In the order of their burial.
        self.dead_letters: dict[int, DeadLetterRow] = {}
        #: When the fleet was paused, under 1; empty while it works.
        self.fleet_pauses: dict[int, float] = {}

    @contextmanager
    def transaction(self) -> Iterator[LedgerState]:
        """Run the block alone; where it raises, nothing of it has happened.

        Raises:
            IngestError: ``fault``, while it is set.
        """
        with self.lock:
            if self.fault is not None:
                raise self.fault
            before = self.copy()
            try:
                yield self
            except BaseException:
                for name, table in before.items():
                    setattr(self, name, table)
                raise

    def copy(self) -> dict[str, dict[Any, Any]]:
        """Return all tables as they are now, by name."""
        with self.lock:
            return {name: dict(getattr(self, name)) for name in TABLES}

    # --- slices

    def move_slice(self, event: SliceEvent, slice_id: UUID, **changes: Any) -> SliceRow | None:
        """Perform an event; None where the transition table does not allow it or there is no such slice."""
        row = self.slices.get(slice_id)
        origins, target = SLICE_TRANSITIONS[event]
        if row is None or row.state not in origins:
            return None
        moved = self.slices[slice_id] = replace(row, state=target, **changes)
        return moved

    def holds(self, claim: Claim) -> bool:
        """Return whether nobody has taken the claim over."""
        row = self.slices.get(claim.token.slice_id)
        return row is not None and row.owner == claim.owner

    def fence(self, claim: Claim) -> SliceRow:
        """Return the claimed slice.

        Raises:
            ClaimLost: The lease was taken over.
        """
        if not self.holds(claim):
            raise ClaimLost
        return self.slices[claim.token.slice_id]

    def is_buying(self, slice_id: UUID | None) -> bool:
        """Return whether what the slice has reserved may be in flight to the provider."""
        row = self.slices.get(slice_id) if slice_id is not None else None
        if row is None:
            return False
        # A cancelled one is held by nobody, so it says in ``not_before`` until when.
        ends = {SliceState.RUNNING: row.lease_until, SliceState.CANCELLED: row.not_before}.get(row.state)
        return ends is not None and ends > self.clock()

    def is_paused(self, run_id: UUID) -> bool:
        """Return whether the run, or the whole fleet, is paused."""
        return bool(self.fleet_pauses) or self.runs[run_id].paused_at is not None

    def release_embeddings(self, slice_id: UUID) -> None:
        """Forget what a slice had reserved and not bought."""
        self.embeddings = {
            key: row for key, row in self.embeddings.items() if row.vector is not None or row.claimed_by != slice_id
        }

    # --- documents

    def move_document(self, event: DocumentEvent, document_id: UUID, **changes: Any) -> DocumentRow | None:
        """Perform an event; None where the transition table does not allow it."""
        row = self.documents[document_id]
        origins, target = DOCUMENT_TRANSITIONS[event]
        if row.state not in origins:
            return None
        moved = self.documents[document_id] = replace(row, state=target, **changes)
        return moved

    def add_run_document(self, row: RunDocumentRow) -> None:
        """Record what a run is to do to a document.

        Raises:
            ValueError: The run has that document already.
        """
        key = (row.run_id, row.document_id)
        if key in self.run_documents:
            raise ValueError("a run takes each document on once; give every path once")
        self.run_documents[key] = row

    def pending(self, slice_id: UUID, run_id: UUID | None = None) -> list[tuple[RunDocumentRow, DocumentRow]]:
        """Return the slice's unfinished documents by id: of one run, or of all that wait for the slice."""
        found = [
            (row, self.documents[row.document_id])
            for row in self.run_documents.values()
            if row.slice_id == slice_id and row.outcome is Outcome.PENDING and run_id in {None, row.run_id}
        ]
        return sorted(found, key=lambda pair: pair[0].document_id)

    def current(self, claim: Claim) -> list[tuple[RunDocumentRow, DocumentRow]]:
        """Return the claim's unfinished new revisions that no newer generation has overtaken."""
        return [
            (row, document)
            for row, document in self.pending(claim.token.slice_id, claim.run_id)
            if row.action is Action.INDEX and row.generation == document.generation
        ]

    def end(self, row: RunDocumentRow, outcome: Outcome, **changes: Any) -> None:
        """Record how a run left a document."""
        key = (row.run_id, row.document_id)
        self.run_documents[key] = replace(row, outcome=outcome, finished_at=self.clock(), **changes)

    def fail(self, slice_id: UUID, reasons: Mapping[UUID, tuple[str, str]]) -> None:
        """Fail unfinished documents of a slice, for every run that waits; reasons are (error, message)."""
        for row, document in self.pending(slice_id):
            if row.document_id not in reasons:
                continue
            error, message = reasons[row.document_id]
            self.end(row, Outcome.FAILED, error=error, message=message)
            if row.generation == document.generation:
                self.move_document(DocumentEvent.FAIL, document.id, error=error, message=message)

    def record_failures(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """Mark documents of the claimed slice as failed."""
        reasons = {failure.document_id: (failure.error, storable(failure.message)) for failure in failures}
        self.fail(claim.token.slice_id, reasons)
