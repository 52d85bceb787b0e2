"""Chunks as rows of ``chunks``, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.facts import chunk_facts_of, facts_row
from pipeline.types import Chunk

#: What a save writes besides the model, by column; the array of each is cast to this type.
_COLUMNS = {
    "id": "uuid",
    "document_id": "uuid",
    "generation": "bigint",
    "ordinal": "int",
    "kind": "text",
    "name": "text",
    "scope": "jsonb",
    "metadata": "jsonb",
    "start_byte": "bigint",
    "end_byte": "bigint",
    "parent_start": "bigint",
    "parent_end": "bigint",
    "start_line": "int",
    "end_line": "int",
    "text_hash": "bytea",
    "embed_hash": "bytea",
    "facts": "jsonb",
}
#: What is read of ``chunks AS c``, by name: a prepared statement fails once a migration has added to its ``*``.
CHUNK_COLUMNS = ", ".join(f"c.{name}" for name in (*_COLUMNS, "model_id", "retired_at"))
_KEPT = frozenset({"id", "document_id"})
_NAMES = ", ".join(_COLUMNS)
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items())
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in _KEPT)
_SAVE = text(
    f"INSERT INTO chunks (model_id, {_NAMES}) SELECT :model, {_NAMES} FROM unnest({_ARRAYS}) AS t({_NAMES})"
    f" ON CONFLICT (id) DO UPDATE SET model_id = excluded.model_id, {_CHANGES}, retired_at = NULL, updated_at = now()"
)


class ChunkToSave(NamedTuple):
    """A chunk of a document and the generation that its point carries."""

    document_id: UUID
    chunk: Chunk
    generation: int


def save_chunks(connection: Connection, model: UUID, rows: Sequence[ChunkToSave]) -> None:
    """Insert the chunks, or put them in the place of the rows with their ids, in one statement."""
    if rows:
        columns = zip(*(_row_of(row) for row in rows), strict=True)
        connection.execute(_SAVE, {"model": model, **dict(zip(_COLUMNS, map(list, columns), strict=True))})


def _row_of(row: ChunkToSave) -> tuple[object, ...]:
    """Return the values in the order of the columns."""
    chunk = row.chunk
    details: dict[str, object] = {"scope_signatures": chunk.scope_signatures, "defines": chunk.defines}
    if chunk.language:
        details["language"] = chunk.language
    labels = (chunk.ordinal, chunk.kind, chunk.name, json.dumps(chunk.scope), json.dumps(details))
    span = (chunk.start, chunk.end, chunk.parent_start, chunk.parent_end, chunk.start_line, chunk.end_line)
    facts = None if chunk.facts is None else json.dumps(facts_row(chunk.facts))
    return (chunk.id, row.document_id, row.generation, *labels, *span, chunk.text_hash, chunk.embed_hash, facts)


def chunk_of(row: Row[Any]) -> Chunk:
    """Return the chunk that a row of ``chunks`` holds; one from before parents were recorded is its own."""
    return Chunk(
        id=row.id,
        ordinal=row.ordinal,
        start=row.start_byte,
        end=row.end_byte,
        start_line=row.start_line,
        end_line=row.end_line,
        kind=row.kind,
        name=row.name,
        scope=tuple(row.scope),
        scope_signatures=tuple(row.metadata["scope_signatures"]),
        defines=tuple(row.metadata["defines"]),
        text_hash=row.text_hash,
        embed_hash=row.embed_hash,
        parent_start=row.start_byte if row.parent_start is None else row.parent_start,
        parent_end=row.end_byte if row.parent_end is None else row.parent_end,
        facts=None if row.facts is None else chunk_facts_of(row.facts),
        language=row.metadata.get("language", ""),
    )
