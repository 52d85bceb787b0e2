"""Join an index's hits to the ledger: only committed chunks are shown, with the text they were cut from.

Expanded, a hit is the whole definition that its chunk is, or is a part of, so several parts of it are one hit: the
best of them decides where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Row, text

from models.blobs import read_blobs
from models.session import transaction
from pipeline.chunk import count_newlines
from pipeline.facts import chunk_facts_of
from pipeline.parse.decode import text_of
from pipeline.report import SearchHit
from pipeline.types import Hit, Scope

#: Bytes that a hit may be expanded to; of a longer definition the parts are shown.
MAX_EXPANDED = 16_384

_CHUNKS = text(
    "SELECT c.id, c.document_id, d.path, c.start_line, c.end_line, d.language, c.kind, c.name, c.scope, c.start_byte,"
    " c.end_byte, c.parent_start, c.parent_end, c.facts, c.metadata, d.committed_revision,"
    " d.encoding, d.traits"
    " FROM chunks c JOIN documents d ON d.id = c.document_id"
    " WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.retired_at IS NULL AND d.deleted_at IS NULL"
    " AND d.project_id = :project AND d.tenant_id = :tenant"
)

_Span = tuple[int, int]
_Found = Iterator[tuple[Row[Any], float, _Span]]


class CommittedChunks:
    """The ledger's side of a search."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def join(self, scope: Scope, hits: Sequence[Hit], *, expand: bool = False) -> list[SearchHit]:
        """Return the hits that committed chunks of the scope stand for, in their order, with their text."""
        if not hits:
            return []
        values = {"project": scope.project_id, "tenant": scope.tenant_id}
        with transaction(self._engine) as connection:
            rows = connection.execute(_CHUNKS, {**values, "ids": [hit.id for hit in hits]}).all()
            blobs = read_blobs(connection, {row.committed_revision for row in rows})
        known: dict[UUID, Row[Any]] = {row.id: row for row in rows}
        found = ((known[hit.id], hit.score) for hit in hits if hit.id in known)
        spans = _definitions(found) if expand else ((row, score, _own(row)) for row, score in found)
        return [_hit(row, score, span, blobs) for row, score, span in spans]


def _definitions(found: Iterator[tuple[Row[Any], float]]) -> _Found:
    """Yield each hit with the span of its definition, without those that are shown in another one already."""
    shown: dict[UUID, set[_Span]] = {}
    for row, score in found:
        definition = _definition(row)
        before = shown.setdefault(row.document_id, set())
        if not any(start <= definition[0] and definition[1] <= end for start, end in before):
            before.add(definition)
            own = _own(row)
            # What stands before a definition, a comment for instance, belongs to the chunk and not to the definition.
            yield row, score, (min(definition[0], own[0]), max(definition[1], own[1]))


def _own(row: Row[Any]) -> _Span:
    return row.start_byte, row.end_byte


def _definition(row: Row[Any]) -> _Span:
    own = _own(row)
    if row.parent_start is None or max(row.parent_end, own[1]) - min(row.parent_start, own[0]) > MAX_EXPANDED:
        return own
    return row.parent_start, row.parent_end


def _hit(row: Row[Any], score: float, span: _Span, blobs: dict[bytes, bytes]) -> SearchHit:
    source = text_of(blobs[row.committed_revision], row.encoding)
    start, end = span
    body = source[start:end]
    first, last = row.start_line, row.end_line
    if span != _own(row):
        first = count_newlines(source[:start]) + 1
        last = first + count_newlines(body) - body.endswith((b"\n", b"\r"))
    return SearchHit(
        path=row.path,
        start_line=first,
        end_line=last,
        language=row.metadata.get("language") or row.language,
        kind=row.kind,
        name=row.name,
        scope=tuple(row.scope),
        score=round(score, 6),
        text=body.decode(),
        traits=tuple(row.traits or ()),
        facts=None if row.facts is None else chunk_facts_of(row.facts),
    )
