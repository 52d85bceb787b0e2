"""Join an index's hits to the ledger: only committed chunks are shown, with the text they were cut from."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Row, text

from models.session import transaction
from pipeline.facts import chunk_facts_of
from pipeline.parse.decode import text_of
from pipeline.report import SearchHit
from pipeline.types import Hit, Scope

_CHUNKS = text(
    "SELECT c.id, d.path, c.start_line, c.end_line, d.language, c.kind, c.name, c.scope, c.start_byte, c.end_byte,"
    " d.committed_revision, d.encoding, c.facts FROM chunks c JOIN documents d ON d.id = c.document_id"
    " WHERE c.id = ANY(CAST(:ids AS uuid[])) AND c.retired_at IS NULL AND d.deleted_at IS NULL"
    " AND d.project_id = :project AND d.tenant_id = :tenant"
)
_BLOBS = text("SELECT sha256, data FROM blobs WHERE sha256 = ANY(CAST(:shas AS bytea[]))")


class CommittedChunks:
    """The ledger's side of a search."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def join(self, scope: Scope, hits: Sequence[Hit]) -> list[SearchHit]:
        """Return the hits that committed chunks of the scope stand for, in their order, with their text."""
        if not hits:
            return []
        values = {"project": scope.project_id, "tenant": scope.tenant_id}
        with transaction(self._engine) as connection:
            rows = connection.execute(_CHUNKS, {**values, "ids": [hit.id for hit in hits]}).all()
            shas = list({row.committed_revision for row in rows})
            blobs = {row.sha256: zlib.decompress(row.data) for row in connection.execute(_BLOBS, {"shas": shas})}
        found: dict[UUID, Row[Any]] = {row.id: row for row in rows}
        return [_hit(found[hit.id], hit.score, blobs) for hit in hits if hit.id in found]


def _hit(row: Row[Any], score: float, blobs: dict[bytes, bytes]) -> SearchHit:
    source = text_of(blobs[row.committed_revision], row.encoding)
    return SearchHit(
        path=row.path,
        start_line=row.start_line,
        end_line=row.end_line,
        language=row.language,
        kind=row.kind,
        name=row.name,
        scope=tuple(row.scope),
        score=round(score, 6),
        text=source[row.start_byte : row.end_byte].decode(),
        facts=None if row.facts is None else chunk_facts_of(row.facts),
    )
