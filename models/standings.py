"""What the ledger says of suspects whose documents are claimed, and what it takes to write their points again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row

from models.blobs import read_blobs
from models.chunk_rows import chunk_of
from models.vectors import read_vectors
from pipeline.identity import model_id
from pipeline.reconcile import CommittedPoint, ExpectedPoint, PointId, Standing, Suspect
from pipeline.types import DocumentRef, EmbeddingModel, Scope, Vector

#: What the points of a document say of it, as a column for ``traits_told``; NULL while a generation is under way.
TRAITS_TOLD = "CASE WHEN d.committed_generation = d.generation THEN coalesce(d.traits, '{}') END AS traits_told"

#: Documents' bytes in memory at once; each is up to MOBIUS_MAX_FILE_BYTES.
_BLOBS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Claimed:
    """See ``pipeline.reconcile_ports.ClaimedSuspects``; good for as long as its transaction is open."""

    connection: Connection
    model: EmbeddingModel
    standings: Mapping[PointId, Standing]
    busy: Mapping[UUID, Sequence[Suspect]]

    def vectors(self, hashes: Collection[bytes]) -> Mapping[bytes, Vector]:
        """Return the stored vectors of these inputs; absent ones are absent."""
        return read_vectors(self.connection, self.model, hashes)

    def contents(self, revisions: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield each revision with its bytes, few in memory at once; absent ones are absent."""
        ordered = sorted(revisions)
        for start in range(0, len(ordered), _BLOBS_AT_ONCE):
            yield from read_blobs(self.connection, ordered[start : start + _BLOBS_AT_ONCE]).items()


def standing_of(row: Row[Any], model: EmbeddingModel) -> Standing:
    """Return the standing of one suspect, from its chunk's row joined to its document's."""
    is_retired = row.id is not None and row.retired_at is not None
    is_committed = row.id is not None and row.retired_at is None and row.model_id == model_id(model.key)
    return Standing(
        document_id=row.owner_id,
        committed=_committed(row) if is_committed else None,
        is_retired=is_retired,
        newest=row.newest or 0,
        pending=frozenset(row.pending),
    )


def _committed(row: Row[Any]) -> CommittedPoint:
    scope = Scope(row.tenant_id, row.project_id)
    return CommittedPoint(
        ExpectedPoint(row.id, row.document_id, scope, row.generation, row.text_hash, row.embed_hash, traits_told(row)),
        row.source_id,
        DocumentRef(row.document_id, row.path, row.language, row.generation, row.committed_revision, traits_in(row)),
        chunk_of(row),
        row.encoding,
    )


def traits_in(row: Row[Any]) -> tuple[str, ...]:
    """Return a document's traits; of one that was read before they were looked for, none are known."""
    return tuple(row.traits or ())


def traits_told(row: Row[Any]) -> tuple[str, ...] | None:
    """Return the traits that the points of a document must have, None while that cannot be said."""
    return None if row.traits_told is None else tuple(row.traits_told)
