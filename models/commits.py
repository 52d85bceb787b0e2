"""Commit a slice's chunks, and say INDEXED only after the index was read back.

The upsert stage writes points first. ``commit_chunks`` then makes the new chunks visible and retires the old ones
in one transaction, for those documents whose generation is still the newest; search, which joins its hits to
these rows, switches from the old revision to the new one at that moment. ``finish_slice`` removes the retired rows
once their points are verified gone, and ends the slice.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from models.chunk_rows import CHUNK_COLUMNS, ChunkToSave, chunk_of, save_chunks
from models.leases import fence, finish, record_failures, work_of
from models.session import transaction
from models.standings import traits_in
from models.transitions import document_move
from pipeline.identity import model_id
from pipeline.states import DocumentEvent
from pipeline.types import Action, Claim, DocumentRef, EmbeddingModel, Failure
from pipeline.upsert import CommittedChunk, DocumentPlan
from pipeline.work import Stray, UpsertWork

_TO_UPSERT = text(
    "SELECT d.id, d.path, d.language, rd.generation, rd.revision, rd.action, cs.data,"
    " d.generation > rd.generation AS is_superseded, d.committed_generation < rd.generation - 1 AS follows_gap,"
    " b.data AS blob, coalesce(cs.encoding, '') AS encoding, d.versions, d.traits"
    " FROM run_documents rd JOIN documents d ON d.id = rd.document_id"
    " LEFT JOIN chunk_sets cs ON cs.document_id = d.id AND cs.generation = rd.generation"
    " LEFT JOIN blobs b ON b.sha256 = rd.revision AND d.generation = rd.generation"
    " WHERE rd.slice_id = :slice AND rd.run_id = :run AND rd.outcome = 'pending' ORDER BY d.id"
)
_COMMITTED = text(f"SELECT {CHUNK_COLUMNS} FROM chunks c WHERE c.document_id = ANY(CAST(:ids AS uuid[]))")
_LOCK_CURRENT = text(
    "SELECT d.id FROM documents d JOIN run_documents rd ON rd.document_id = d.id AND rd.generation = d.generation"
    " WHERE rd.slice_id = :slice AND rd.run_id = :run AND rd.outcome = 'pending' AND d.id = ANY(CAST(:ids AS uuid[]))"
    " ORDER BY d.id FOR UPDATE OF d"
)
_RETIRE = text(
    "UPDATE chunks SET retired_at = now(), updated_at = now()"
    " WHERE id = ANY(CAST(:ids AS uuid[])) AND retired_at IS NULL"
)
_COMMIT_DOCUMENTS = text(
    "UPDATE documents d SET committed_generation = d.generation, committed_revision = d.revision,"
    " versions = t.versions, encoding = coalesce(cs.encoding, ''), imports = t.imports, updated_at = now()"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:imports AS jsonb[]), CAST(:versions AS text[]))"
    " AS t(id, imports, versions)"
    " JOIN documents x ON x.id = t.id"
    " LEFT JOIN chunk_sets cs ON cs.document_id = x.id AND cs.generation = x.generation WHERE x.id = d.id"
)
_COUNT_POINTS = text(
    "UPDATE slices SET points_written = points_written + :written, points_updated = points_updated + :updated"
    " WHERE id = :slice"
)
_PURGE = text("DELETE FROM chunks WHERE id = ANY(CAST(:ids AS uuid[])) AND retired_at IS NOT NULL")
_COUNT_DELETED = text("UPDATE slices SET points_deleted = points_deleted + :deleted WHERE id = :slice")
_FROM_SLICE = (
    "rd.document_id = d.id AND rd.slice_id = :slice AND rd.outcome = 'pending'"
    " AND rd.generation = d.generation AND d.committed_generation = d.generation"
)
_INDEXED = text(
    document_move(
        DocumentEvent.INDEX,
        sets="indexed_generation = d.generation, error = '', message = ''",
        source="run_documents rd",
        where=f"{_FROM_SLICE} AND rd.action = 'index'",
    )
)
_DELETED = text(
    document_move(
        DocumentEvent.DELETE,
        sets="indexed_generation = d.generation, deleted_at = now(), error = '', message = ''",
        source="run_documents rd",
        where=f"{_FROM_SLICE} AND rd.action = 'delete'",
    )
)
_OUTCOMES = text(
    "UPDATE run_documents rd SET finished_at = now(), outcome = CASE WHEN d.generation > rd.generation"
    " THEN 'superseded' WHEN rd.action = 'delete' THEN 'deleted' ELSE 'indexed' END FROM documents d"
    " WHERE d.id = rd.document_id AND rd.slice_id = :slice AND rd.outcome = 'pending'"
    " AND (d.generation > rd.generation OR d.indexed_generation = rd.generation)"
)
_DROP_CHUNK_SETS = text(
    "DELETE FROM chunk_sets cs USING run_documents rd WHERE rd.slice_id = :slice"
    " AND cs.document_id = rd.document_id AND cs.generation <= rd.generation"
    # A slice that was overtaken needs its own to find what an earlier attempt of it wrote.
    " AND NOT EXISTS (SELECT 1 FROM run_documents x WHERE x.document_id = cs.document_id"
    " AND x.generation = cs.generation AND x.outcome = 'pending')"
)
_STRAYS = text(
    "SELECT t.id, t.generation FROM unnest(CAST(:ids AS uuid[]), CAST(:documents AS uuid[]),"
    " CAST(:generations AS bigint[])) AS t(id, document_id, generation)"
    " JOIN documents d ON d.id = t.document_id WHERE d.generation > t.generation"
    " AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.id = t.id AND c.retired_at IS NULL)"
)


class Commits:
    """The part of the ledger that the upsert stage uses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def documents_to_upsert(self, claim: Claim) -> list[UpsertWork]:
        """Return the slice's unfinished documents with their new and their committed chunks."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_TO_UPSERT, work_of(claim)).all()
            committed = _committed(connection, [row[0] for row in rows])
        return [
            UpsertWork(
                document=DocumentRef(row[0], row[1], row[2], row[3], row[4], traits_in(row)),
                action=Action(row.action),
                packed=row.data,
                committed=committed.get(row.id, ()),
                is_superseded=row.is_superseded,
                follows_gap=row.follows_gap,
                data=zlib.decompress(row.blob) if row.blob is not None else None,
                encoding=row.encoding,
                versions=row.versions,
            )
            for row in rows
        ]

    def commit_chunks(self, claim: Claim, plans: Sequence[DocumentPlan], model: EmbeddingModel) -> frozenset[UUID]:
        """Make the plans' chunks the committed ones, for documents that no newer generation has overtaken.

        Returns the ids of the documents that were committed.

        Raises:
            ClaimLost: The lease was taken over; nothing was written.
        """
        with transaction(self._engine) as connection:
            fence(connection, claim)
            ids = [plan.document.id for plan in plans]
            current = frozenset(connection.execute(_LOCK_CURRENT, {**work_of(claim), "ids": ids}).scalars())
            accepted = [plan for plan in plans if plan.document.id in current]
            if accepted:
                _write(connection, claim, accepted, model)
        return current

    def finish_slice(self, claim: Claim, purged: Collection[UUID], failures: Sequence[Failure]) -> None:
        """Remove the rows of verified deletions, record every document's outcome, and end the slice.

        Raises:
            ClaimLost: The lease was taken over; nothing was written.
        """
        values = {"slice": claim.token.slice_id}
        with transaction(self._engine) as connection:
            fence(connection, claim)
            if purged:
                connection.execute(_PURGE, {"ids": list(purged)})
                connection.execute(_COUNT_DELETED, {**values, "deleted": len(purged)})
            record_failures(connection, claim, failures)
            connection.execute(_INDEXED, values)
            connection.execute(_DELETED, values)
            connection.execute(_OUTCOMES, values)
            connection.execute(_DROP_CHUNK_SETS, values)
            finish(connection, claim)

    def strays(self, written: Iterable[tuple[UUID, DocumentRef]]) -> list[Stray]:
        """Return which of these points no committed chunk stands for, in documents that were overtaken since.

        While a document's generation is still the newest, another worker may be writing these very points, so
        they are no strays.
        """
        pairs = list(written)
        if not pairs:
            return []
        columns = {
            "ids": [point_id for point_id, _ in pairs],
            "documents": [document.id for _, document in pairs],
            "generations": [document.generation for _, document in pairs],
        }
        with transaction(self._engine) as connection:
            return [Stray(*row) for row in connection.execute(_STRAYS, columns).all()]


def _committed(connection: Connection, ids: list[UUID]) -> dict[UUID, tuple[CommittedChunk, ...]]:
    grouped: dict[UUID, list[CommittedChunk]] = {}
    for row in connection.execute(_COMMITTED, {"ids": ids}):
        grouped.setdefault(row.document_id, []).append(
            CommittedChunk(chunk_of(row), row.model_id, row.generation, is_retired=row.retired_at is not None)
        )
    return {document: tuple(chunks) for document, chunks in grouped.items()}


def _write(connection: Connection, claim: Claim, plans: list[DocumentPlan], model: EmbeddingModel) -> None:
    rows = [
        ChunkToSave(plan.document.id, chunk, plan.document.generation)
        for plan in plans
        for chunk in (*plan.writes, *plan.moves)
    ]
    rows += [ChunkToSave(plan.document.id, chunk, generation) for plan in plans for chunk, generation in plan.shifts]
    save_chunks(connection, model_id(model.key), rows)
    retired = [chunk_id for plan in plans for chunk_id in plan.retired]
    if retired:
        connection.execute(_RETIRE, {"ids": retired})
    documents = {
        "ids": [plan.document.id for plan in plans],
        "imports": [json.dumps(plan.imports) for plan in plans],
        "versions": [plan.versions for plan in plans],
    }
    connection.execute(_COMMIT_DOCUMENTS, documents)
    counts = {
        "slice": claim.token.slice_id,
        "written": sum(len(plan.writes) for plan in plans),
        "updated": sum(len(plan.moves) for plan in plans),
    }
    connection.execute(_COUNT_POINTS, counts)
