"""The part of a ledger in memory that the parse, chunk and embed stages use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from pipeline.identity import model_id
from pipeline.testing.ledger_leases import advance
from pipeline.testing.ledger_rows import ChunkSetRow, DocumentRow, EmbeddingRow, RunDocumentRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Claim, DocumentRef, EmbeddingModel, EmbeddingReply, Failure, Stage, Vector
from pipeline.work import ChunksMade, ChunkWork, EmbedWork, OutlineMade, ParseWork, Reservation


class StagesInMemory:
    """A stage's output and the advance to the next stage are one transaction that holds the claim's fence."""

    state: LedgerState

    def documents_to_parse(self, claim: Claim, version: int) -> list[ParseWork]:
        """See the port."""
        with self.state.transaction() as state:
            return [
                ParseWork(ref_of(row, document), data)
                for row, document, data in _with_bytes(state, claim)
                if (row.revision, document.language, version) not in state.outlines
            ]

    def commit_outlines(
        self, claim: Claim, version: int, made: Sequence[OutlineMade], failures: Sequence[Failure]
    ) -> None:
        """See the port."""
        with self.state.transaction() as state:
            state.fence(claim)
            for outline in made:
                state.outlines.setdefault((outline.revision, outline.language, version), outline.packed)
            state.record_failures(claim, failures)
            advance(state, claim, Stage.CHUNK)

    def documents_to_chunk(self, claim: Claim, version: int) -> list[ChunkWork]:
        """See the port."""
        with self.state.transaction() as state:
            return [
                ChunkWork(
                    ref_of(row, document),
                    data,
                    state.outlines.get((row.revision or b"", document.language, version)),
                )
                for row, document, data in _with_bytes(state, claim)
            ]

    def commit_chunk_sets(self, claim: Claim, made: Sequence[ChunksMade], failures: Sequence[Failure]) -> None:
        """See the port."""
        with self.state.transaction() as state:
            row = state.fence(claim)
            for item in made:
                key = (item.document.id, item.document.generation)
                state.chunk_sets[key] = ChunkSetRow(item.count, item.encoding, item.packed)
            if made:
                state.slices[row.id] = replace(row, chunks_total=sum(item.count for item in made))
            state.record_failures(claim, failures)
            advance(state, claim, Stage.EMBED)

    def register_model(self, model: EmbeddingModel, header_version: int) -> None:
        """See the port."""
        with self.state.transaction() as state:
            state.models.setdefault(model_id(model.key), (model, header_version))

    def documents_to_embed(self, claim: Claim) -> list[EmbedWork]:
        """See the port."""
        with self.state.transaction() as state:
            return [
                EmbedWork(ref_of(row, document), data, chunks.encoding, chunks.packed)
                for row, document, data in _with_bytes(state, claim)
                if (chunks := state.chunk_sets.get((document.id, row.generation))) is not None
            ]

    def reserve_embeddings(self, claim: Claim, model: EmbeddingModel, hashes: Sequence[bytes]) -> Reservation:
        """See the port."""
        with self.state.transaction() as state:
            state.fence(claim)
            model_key = _registered(state, model)
            mine, others = set[bytes](), set[bytes]()
            for embed_hash in set(hashes):
                found = state.embeddings.get((model_key, embed_hash))
                if found is not None and found.vector is not None:
                    continue
                buyer = found.claimed_by if found is not None else None
                if buyer != claim.token.slice_id and state.is_buying(buyer):
                    others.add(embed_hash)
                else:
                    mine.add(embed_hash)
                    state.embeddings[model_key, embed_hash] = EmbeddingRow(None, claim.token.slice_id)
            return Reservation(frozenset(mine), frozenset(others))

    def save_reply(self, claim: Claim, model: EmbeddingModel, reply: EmbeddingReply) -> None:
        """See the port."""
        with self.state.transaction() as state:
            model_key = _registered(state, model)
            row = state.slices[claim.token.slice_id]
            state.slices[row.id] = replace(
                row,
                embedding_calls=row.embedding_calls + 1,
                embedding_inputs=row.embedding_inputs + len(reply.call.inputs),
                embedding_tokens=row.embedding_tokens + reply.tokens,
            )
            for embed_hash, vector in zip(reply.call.hashes, reply.vectors, strict=True):
                found = state.embeddings.get((model_key, embed_hash))
                if found is None or found.vector is None:
                    state.embeddings[model_key, embed_hash] = EmbeddingRow(vector, None)

    def record_rejected(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """See the port."""
        with self.state.transaction() as state:
            state.fence(claim)
            state.record_failures(claim, failures)

    def commit_embedded(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """See the port."""
        with self.state.transaction() as state:
            row = state.fence(claim)
            state.release_embeddings(row.id)
            state.record_failures(claim, failures)
            advance(state, claim, Stage.UPSERT)

    def vectors(self, model: EmbeddingModel, hashes: Sequence[bytes]) -> Mapping[bytes, Vector]:
        """See the port."""
        with self.state.transaction() as state:
            rows = ((each, state.embeddings.get((model_id(model.key), each))) for each in hashes)
            return {each: row.vector for each, row in rows if row is not None and row.vector is not None}


def ref_of(row: RunDocumentRow, document: DocumentRow) -> DocumentRef:
    """Return a document at the generation its run accepted."""
    return DocumentRef(
        document.id, document.path, document.language, row.generation, row.revision, document.traits or ()
    )


def _with_bytes(state: LedgerState, claim: Claim) -> list[tuple[RunDocumentRow, DocumentRow, bytes]]:
    return [
        (row, document, state.blobs[row.revision])
        for row, document in state.current(claim)
        if row.revision in state.blobs
    ]


def _registered(state: LedgerState, model: EmbeddingModel) -> UUID:
    """Return the model's id.

    Raises:
        ValueError: It was never registered; the real ledger's rows refer to it, so they refuse that too.
    """
    key = model_id(model.key)
    if key not in state.models:
        raise ValueError(f"the model {model.key} is not registered; call register_model first")
    return key
