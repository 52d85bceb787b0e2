"""The steps of a test over the shipped ledger in memory, whose clock the test moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from harness.steps import Steps

from pipeline.intake import SourceRef
from pipeline.testing import FakeControl, FakeIntake, FakeLedger, ManualClock
from pipeline.testing.ledger_rows import ChunkRow, DeadLetterRow, DocumentRow, RunDocumentRow, RunRow, SliceRow
from pipeline.types import Scope


class FakeBench(Steps):
    """A ledger that dies with the test."""

    def __init__(self, *, max_attempts: int = 3) -> None:
        self.clock = ManualClock()
        self.memory = FakeLedger(clock=self.clock, max_attempts=max_attempts)
        self.ledger = self.memory
        self.intake = FakeIntake(self.memory)
        self.control = FakeControl(self.memory.state)
        self.source = SourceRef(uuid4(), Scope(uuid4(), uuid4()), "tenant", "project", "source", "/root")
        super().__init__()

    def another_source(self, name: str) -> SourceRef:
        """See `Steps`."""
        return replace(self.source, id=uuid4(), name=name, root=f"/{name}")

    def generation(self, document: UUID) -> int:
        """See `Steps`."""
        row = self.memory.state.documents.get(document)
        return row.generation if row is not None else 0

    def documents(self) -> list[DocumentRow]:
        """See `Steps`."""
        return self.memory.documents()

    def slices(self) -> list[SliceRow]:
        """See `Steps`."""
        return self.memory.slices()

    def runs(self) -> list[RunRow]:
        """See `Steps`."""
        return list(self.memory.state.runs.values())

    def run_documents(self) -> list[RunDocumentRow]:
        """See `Steps`."""
        rows = self.memory.state.run_documents.values()
        return sorted(rows, key=lambda row: (row.generation, row.document_id, row.run_id))

    def chunks(self) -> list[ChunkRow]:
        """See `Steps`."""
        return self.memory.chunks()

    def dead_letters(self) -> list[DeadLetterRow]:
        """See `Steps`."""
        return self.memory.dead_letters()

    def chunk_sets(self) -> set[tuple[UUID, int]]:
        """See `Steps`."""
        return set(self.memory.state.chunk_sets)

    def blobs(self) -> set[bytes]:
        """See `Steps`."""
        return set(self.memory.state.blobs)

    def models(self) -> dict[str, int]:
        """See `Steps`."""
        return {model.name: version for model, version in self.memory.state.models.values()}

    def reserved(self) -> set[bytes]:
        """See `Steps`."""
        return {key[1] for key, row in self.memory.state.embeddings.items() if row.vector is None}

    def snapshot(self) -> dict[str, Any]:
        """See `Steps`."""
        return self.memory.state.copy()

    def now(self) -> float:
        """See `Steps`."""
        return self.clock.now

    def change(self, table: str, key: UUID, **values: object) -> None:
        """See `Steps`."""
        rows = getattr(self.memory.state, table)
        rows[key] = replace(rows[key], **values)

    def pass_time(self, seconds: float) -> None:
        """See `Steps`."""
        self.clock.advance(seconds)

    def forget_chunk_sets(self, document: UUID) -> None:
        """See `Steps`."""
        sets = self.memory.state.chunk_sets
        for key in [key for key in sets if key[0] == document]:
            del sets[key]

    def close(self) -> None:
        """See `Steps`."""
