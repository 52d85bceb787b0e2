"""The real ledger's rows as those that tests compare, read without the code that they test."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any

from pipeline.facts import ChunkFacts
from pipeline.intake import PlanSummary
from pipeline.states import DocumentState, Outcome, PlanState, SliceState
from pipeline.testing.ledger_rows import ChunkRow, DeadLetterRow, DocumentRow, RunDocumentRow, RunRow, SliceRow
from pipeline.types import Action, Chunk, Priority, Stage

_WORDS: dict[tuple[type, str], Any] = {
    (SliceRow, "stage"): Stage,
    (SliceRow, "state"): SliceState,
    (SliceRow, "priority"): list(Priority).__getitem__,
    (DocumentRow, "state"): DocumentState,
    (RunDocumentRow, "action"): Action,
    (RunDocumentRow, "outcome"): Outcome,
    (DeadLetterRow, "stage"): Stage,
}
CHUNKS = (
    'SELECT c.id, ordinal, start_byte AS start, end_byte AS "end", start_line, end_line, kind, name, scope, metadata,'
    " text_hash, embed_hash, parent_start, parent_end, facts, document_id, model_id, c.generation, retired_at"
    " FROM chunks c ORDER BY document_id, ordinal"
)


def chunk_row(row: dict[str, Any]) -> ChunkRow:
    """Return what a row of ``CHUNKS`` says."""
    known = {name: row[name] for name in Chunk._fields if name in row}
    details = {name: tuple(values) for name, values in row["metadata"].items()}
    facts = None if row["facts"] is None else ChunkFacts(**{name: _plain(each) for name, each in row["facts"].items()})
    chunk = Chunk(**{**known, **details, "scope": tuple(row["scope"]), "facts": facts})
    retired_at = row["retired_at"].timestamp() if row["retired_at"] is not None else None
    return ChunkRow(chunk, row["document_id"], row["model_id"], row["generation"], retired_at)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def ledger_row(kind: type[Any], row: dict[str, Any]) -> Any:
    """Return a row as a value of ``kind``."""
    return kind(**{field.name: _value(kind, field.name, row[field.name]) for field in fields(kind)})


def _value(kind: type[Any], name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, list):
        return tuple(value)
    convert = _WORDS.get((kind, name))
    return convert(value) if convert is not None else value


def run_row(row: dict[str, Any]) -> RunRow:
    """Return a row of ``runs``."""
    summary = PlanSummary(**{field.name: row[field.name] for field in fields(PlanSummary)})
    state = PlanState(row["plan_state"])
    priority = list(Priority)[row["priority"]]
    closed = summary if state is PlanState.PLANNED else None
    asked = [row[name].timestamp() if row[name] is not None else None for name in ("paused_at", "cancelled_at")]
    return RunRow(row["id"], row["source_id"], priority, state, closed, *asked)
