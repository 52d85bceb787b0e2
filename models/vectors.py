"""Buy every embedding once: reserve what is missing, store what was bought, give vectors to the upsert stage.

A reservation lives exactly as long as the lease of the slice that made it, so a dead worker blocks nobody longer
than its lease. Cancelling a slice ends its lease and not its worker's calls, so there it lives on until these are over.
Vectors are committed per provider call, outside any other work: a crash re-buys at most the calls in flight.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from pgvector import Vector as PgVector
from sqlalchemy import Connection, Engine, text

from models.leases import IS_BUYING, RELEASE, advance, fence, record_failures, work_of
from models.session import driver_of, transaction
from pipeline.identity import model_id
from pipeline.types import Claim, DocumentRef, EmbeddingModel, EmbeddingReply, Failure, Stage, Vector
from pipeline.work import EmbedWork, Reservation

_TO_EMBED = text(
    "SELECT d.id, d.path, d.language, rd.generation, rd.revision, b.data, cs.encoding, cs.data FROM run_documents rd"
    " JOIN documents d ON d.id = rd.document_id AND d.generation = rd.generation"
    " JOIN blobs b ON b.sha256 = rd.revision"
    " JOIN chunk_sets cs ON cs.document_id = d.id AND cs.generation = rd.generation"
    " WHERE rd.slice_id = :slice AND rd.run_id = :run AND rd.outcome = 'pending' AND rd.action = 'index' ORDER BY d.id"
)
_REGISTER_MODEL = text(
    "INSERT INTO models (id, provider, name, dims, header_version)"
    " VALUES (:id, :provider, :name, :dims, :header_version) ON CONFLICT (id) DO NOTHING"
)
_UNBOUGHT = text(
    "SELECT h FROM unnest(CAST(:hashes AS bytea[])) AS h WHERE NOT EXISTS"
    " (SELECT 1 FROM embeddings e WHERE e.model_id = :model AND e.embed_hash = h AND e.vector IS NOT NULL)"
)
# Rows are taken in sorted order, so that two slices that want the same inputs cannot deadlock. A row that is there
# already is locked by this, whether it is the slice's own or not: `DO UPDATE` locks what its condition leaves out.
_RESERVE = text(
    "INSERT INTO embeddings (model_id, embed_hash, claimed_by)"
    " SELECT :model, h, :slice FROM unnest(CAST(:hashes AS bytea[])) AS h ORDER BY h"
    " ON CONFLICT (model_id, embed_hash) DO UPDATE SET claimed_by = excluded.claimed_by"
    " WHERE embeddings.vector IS NULL AND embeddings.claimed_by = excluded.claimed_by"
    " RETURNING embed_hash"
)
# A statement of its own: the one before may have waited for others, and its snapshot is from before it did. Who claimed
# a slice and reserved with it meanwhile would look dead there.
_TAKE_OVER = text(
    "UPDATE embeddings e SET claimed_by = :slice WHERE e.model_id = :model"
    " AND e.embed_hash = ANY(CAST(:hashes AS bytea[])) AND e.vector IS NULL AND NOT EXISTS"
    f" (SELECT 1 FROM slices s WHERE s.id = e.claimed_by AND {IS_BUYING})"
    " RETURNING e.embed_hash"
)
# For the driver: only its own placeholders send vectors in binary (%b). As text they cost ten times the processor.
_STORE = (
    "INSERT INTO embeddings (model_id, embed_hash, vector)"
    " SELECT %s, h, v FROM unnest(%b::bytea[], %b::vector[]) AS t(h, v) ORDER BY h"
    " ON CONFLICT (model_id, embed_hash) DO UPDATE SET vector = excluded.vector, claimed_by = NULL"
    " WHERE embeddings.vector IS NULL"
)
_VECTORS = (
    "SELECT embed_hash, vector FROM embeddings WHERE model_id = %s AND embed_hash = ANY(%s) AND vector IS NOT NULL"
)
_COUNT_CALL = text(
    "UPDATE slices SET embedding_calls = embedding_calls + 1, embedding_inputs = embedding_inputs + :inputs,"
    " embedding_tokens = embedding_tokens + :tokens WHERE id = :slice"
)


class Embeddings:
    """The part of the ledger that the embed stage uses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register_model(self, model: EmbeddingModel, header_version: int) -> None:
        """Record the model, once; embeddings and chunks refer to it."""
        row = {"id": model_id(model.key), "provider": model.provider, "name": model.name, "dims": model.dims}
        with transaction(self._engine) as connection:
            connection.execute(_REGISTER_MODEL, {**row, "header_version": header_version})

    def documents_to_embed(self, claim: Claim) -> list[EmbedWork]:
        """Return the slice's current chunk sets with the bytes they are cut from."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_TO_EMBED, work_of(claim)).all()
        return [EmbedWork(DocumentRef(*row[:5]), zlib.decompress(row[5]), row[6], row[7]) for row in rows]

    def reserve_embeddings(self, claim: Claim, model: EmbeddingModel, hashes: Sequence[bytes]) -> Reservation:
        """Reserve the inputs that nobody has bought or is buying; committed before the first call is made.

        A reservation belongs to the slice, so a worker that lost it may not make one: it would buy everything that
        its successor is buying.

        Raises:
            ClaimLost: The lease was taken over; nothing was reserved.
        """
        values = {"model": model_id(model.key), "slice": claim.token.slice_id}
        with transaction(self._engine) as connection:
            fence(connection, claim)
            wanted = list(connection.execute(_UNBOUGHT, {**values, "hashes": sorted(set(hashes))}).scalars())
            if not wanted:
                return Reservation(frozenset(), frozenset())
            mine = frozenset(connection.execute(_RESERVE, {**values, "hashes": wanted}).scalars())
            if rest := [embed_hash for embed_hash in wanted if embed_hash not in mine]:
                mine |= frozenset(connection.execute(_TAKE_OVER, {**values, "hashes": rest}).scalars())
            others = [embed_hash for embed_hash in rest if embed_hash not in mine]
            # What another slice bought between the statements is neither mine nor awaited.
            others = list(connection.execute(_UNBOUGHT, {**values, "hashes": others}).scalars()) if others else []
        return Reservation(mine, frozenset(others))

    def save_reply(self, claim: Claim, model: EmbeddingModel, reply: EmbeddingReply) -> None:
        """Commit what one provider call brought, and count the call. Needs no lease: it is paid for."""
        vectors = [PgVector(np.frombuffer(vector, dtype="<f4")) for vector in reply.vectors]
        count = {"slice": claim.token.slice_id, "inputs": len(reply.call.inputs), "tokens": reply.tokens}
        with transaction(self._engine) as connection:
            # The slice's row first, as everybody who releases reservations takes it.
            connection.execute(_COUNT_CALL, count)
            connection.exec_driver_sql(_STORE, (model_id(model.key), list(reply.call.hashes), vectors))

    def record_rejected(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """Record documents whose input the provider refuses, before the others' inputs are bought.

        Raises:
            ClaimLost: The lease was taken over; nothing was written.
        """
        with transaction(self._engine) as connection:
            fence(connection, claim)
            record_failures(connection, claim, failures)

    def commit_embedded(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """Record the failures, release what was reserved in vain, and advance to the upsert stage.

        Raises:
            ClaimLost: The lease was taken over; nothing was written.
        """
        with transaction(self._engine) as connection:
            fence(connection, claim)
            connection.execute(RELEASE, {"slice": claim.token.slice_id})
            record_failures(connection, claim, failures)
            advance(connection, claim, Stage.UPSERT)

    def vectors(self, model: EmbeddingModel, hashes: Sequence[bytes]) -> Mapping[bytes, Vector]:
        """Return the stored vectors of these inputs; absent ones are absent."""
        with transaction(self._engine) as connection:
            return read_vectors(connection, model, hashes)


def read_vectors(connection: Connection, model: EmbeddingModel, hashes: Collection[bytes]) -> Mapping[bytes, Vector]:
    """Return the stored vectors of these inputs; absent ones are absent."""
    values = (model_id(model.key), list(set(hashes)))
    rows = driver_of(connection).execute(_VECTORS, values, binary=True).fetchall()
    return {embed_hash: vector.to_numpy().astype("<f4").tobytes() for embed_hash, vector in rows}
