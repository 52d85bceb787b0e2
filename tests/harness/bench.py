"""The steps of a test over the real ledger, on the test's own database."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from harness.database import Database
from harness.steps import SUMMARY, Files, Steps, following
from sqlalchemy import update

from models.base import Base
from models.intake import Intake
from models.ledger import PostgresLedger
from models.sources import Sources
from pipeline.intake import PlanSummary, SourceRef
from pipeline.states import DocumentState, Outcome, PlanState, SliceState
from pipeline.testing.ledger_rows import ChunkRow, DeadLetterRow, DocumentRow, RunDocumentRow, RunRow, SliceRow
from pipeline.types import Action, Chunk, Priority, Stage

__all__ = ["SUMMARY", "Bench", "Files", "following"]

_WORDS: dict[tuple[type, str], Any] = {
    (SliceRow, "stage"): Stage,
    (SliceRow, "state"): SliceState,
    (SliceRow, "lapsed"): tuple,
    (SliceRow, "priority"): list(Priority).__getitem__,
    (DocumentRow, "state"): DocumentState,
    (RunDocumentRow, "action"): Action,
    (RunDocumentRow, "outcome"): Outcome,
    (DeadLetterRow, "stage"): Stage,
}
_TABLES = ("runs", "slices", "documents", "run_documents", "blobs", "outlines", "chunk_sets", "chunks", "models")
_CHUNK = (
    'SELECT c.id, ordinal, start_byte AS start, end_byte AS "end", start_line, end_line, kind, name, scope, metadata,'
    " text_hash, embed_hash, document_id, model_id, c.generation, retired_at FROM chunks c"
    " ORDER BY document_id, ordinal"
)


class Bench(Steps, Database):
    """Everything about one test's database; ``close`` it at the end."""

    def __init__(self, database_url: str, *, max_attempts: int = 3) -> None:
        Database.__init__(self, database_url)
        self.ledger = PostgresLedger(self.engine, max_attempts=max_attempts)
        self.intake = Intake(self.engine)
        self.sources = Sources(self.engine)
        self.source = self.sources.resolve("tenant", "project", "source", "/root")
        Steps.__init__(self)

    def close(self) -> None:
        """Release the connections."""
        Database.close(self)

    # --- what the ledger remembers

    def another_source(self, name: str) -> SourceRef:
        """See `Steps`."""
        return self.sources.resolve("tenant", "project", name, f"/{name}")

    def generation(self, document: UUID) -> int:
        """See `Steps`."""
        rows = self.rows("SELECT generation FROM documents WHERE id = :id", id=document)
        return sum(row["generation"] for row in rows)

    def documents(self) -> list[DocumentRow]:
        """See `Steps`."""
        return [_row(DocumentRow, row) for row in self.rows("SELECT * FROM documents ORDER BY path, source_id")]

    def slices(self) -> list[SliceRow]:
        """See `Steps`."""
        return [_row(SliceRow, row) for row in self.rows("SELECT * FROM slices ORDER BY created_at, id")]

    def runs(self) -> list[RunRow]:
        """See `Steps`."""
        return [_run(row) for row in self.rows("SELECT * FROM runs ORDER BY created_at")]

    def run_documents(self) -> list[RunDocumentRow]:
        """See `Steps`."""
        sql = "SELECT * FROM run_documents ORDER BY generation, document_id, run_id"
        return [_row(RunDocumentRow, row) for row in self.rows(sql)]

    def chunks(self) -> list[ChunkRow]:
        """See `Steps`."""
        return [_chunk(row) for row in self.rows(_CHUNK)]

    def dead_letters(self) -> list[DeadLetterRow]:
        """See `Steps`."""
        return [_row(DeadLetterRow, row) for row in self.rows("SELECT * FROM dead_letters ORDER BY created_at")]

    def chunk_sets(self) -> set[tuple[UUID, int]]:
        """See `Steps`."""
        return {(row["document_id"], row["generation"]) for row in self.rows("SELECT * FROM chunk_sets")}

    def blobs(self) -> set[bytes]:
        """See `Steps`."""
        return {bytes(row["sha256"]) for row in self.rows("SELECT sha256 FROM blobs")}

    def models(self) -> dict[str, int]:
        """See `Steps`."""
        return {row["name"]: row["header_version"] for row in self.rows("SELECT * FROM models")}

    def reserved(self) -> set[bytes]:
        """See `Steps`."""
        return {bytes(row["embed_hash"]) for row in self.rows("SELECT embed_hash FROM embeddings WHERE vector IS NULL")}

    def snapshot(self) -> dict[str, Any]:
        """See `Steps`."""
        tables: dict[str, Any] = {name: self.table(name) for name in (*_TABLES, "dead_letters")}
        sql = "SELECT model_id, embed_hash, claimed_by, vector::text FROM embeddings ORDER BY model_id, embed_hash"
        return {**tables, "embeddings": self.rows(sql)}

    # --- what a test does behind the ledger's back

    def now(self) -> float:
        """See `Steps`."""
        return float(self.one("SELECT extract(epoch FROM clock_timestamp())"))

    def change(self, table: str, key: UUID, **values: object) -> None:
        """See `Steps`."""
        found = Base.metadata.tables[table]
        times = {name: datetime.fromtimestamp(value, UTC) for name, value in values.items() if isinstance(value, float)}
        with self.engine.begin() as connection:
            connection.execute(update(found).where(found.c.id == key).values({**values, **times}))

    def pass_time(self, seconds: float) -> None:
        """See `Steps`. The server's clock cannot be moved, so everything that is held against it is."""
        self.rows(
            "UPDATE slices SET lease_until = lease_until - t.passed, not_before = not_before - t.passed,"
            " dispatched_at = dispatched_at - t.passed, created_at = created_at - t.passed"
            " FROM (SELECT make_interval(secs => :seconds) AS passed) AS t",
            seconds=seconds,
        )

    def forget_chunk_sets(self, document: UUID) -> None:
        """See `Steps`."""
        self.rows("DELETE FROM chunk_sets WHERE document_id = :document", document=document)


def _row(kind: type[Any], row: dict[str, Any]) -> Any:
    return kind(**{field.name: _value(kind, field.name, row[field.name]) for field in fields(kind)})


def _value(kind: type[Any], name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    convert = _WORDS.get((kind, name))
    return convert(value) if convert is not None else value


def _run(row: dict[str, Any]) -> RunRow:
    summary = PlanSummary(**{field.name: row[field.name] for field in fields(PlanSummary)})
    state = PlanState(row["plan_state"])
    priority = list(Priority)[row["priority"]]
    closed = summary if state is PlanState.PLANNED else None
    asked = [row[name].timestamp() if row[name] is not None else None for name in ("paused_at", "cancelled_at")]
    return RunRow(row["id"], row["source_id"], priority, state, closed, *asked)


def _chunk(row: dict[str, Any]) -> ChunkRow:
    known = {field.name: row[field.name] for field in fields(Chunk) if field.name in row}
    details = {name: tuple(values) for name, values in row["metadata"].items()}
    chunk = Chunk(**{**known, **details, "scope": tuple(row["scope"])})
    retired_at = row["retired_at"].timestamp() if row["retired_at"] is not None else None
    return ChunkRow(chunk, row["document_id"], row["model_id"], row["generation"], retired_at)
