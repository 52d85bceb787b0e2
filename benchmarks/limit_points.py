"""Points in full requests to Qdrant: nothing is asked before, nothing is read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from qdrant_client import models

from pipeline.sparse import document_vector
from pipeline.types import Chunk, Claim, DocumentRef, EmbeddingCall, EmbeddingModel, Vector
from pipeline.upsert import payload_of
from worker.adapters.qdrant_calls import connect_qdrant
from worker.adapters.qdrant_layout import DENSE, SPARSE, alias_of

Piece = tuple[DocumentRef, Chunk]


class Points:
    """Writes points of one model, whose collection there is."""

    def __init__(self, url: str, key: str | None, model: EmbeddingModel) -> None:
        self._client = connect_qdrant(url, key)
        self._collection = alias_of(model)

    def write(self, claim: Claim, call: EmbeddingCall, pieces: Sequence[Piece], vectors: Mapping[bytes, Vector]) -> int:
        """Write the points of these chunks, which have the call's inputs, and return how many they were."""
        if pieces:
            words = {digest: _words(text) for digest, text in zip(call.hashes, call.inputs, strict=True)}
            numbers = [np.frombuffer(vectors[chunk.embed_hash], dtype="<f4").tolist() for _, chunk in pieces]
            batch = models.Batch(
                ids=[str(chunk.id) for _, chunk in pieces],
                vectors={DENSE: numbers, SPARSE: [words[chunk.embed_hash] for _, chunk in pieces]},
                payloads=[payload_of(claim.scope, claim.source_id, document, chunk) for document, chunk in pieces],
            )
            self._client.upsert(self._collection, batch, wait=True)
        return len(pieces)


def _words(text: str) -> models.SparseVector:
    vector = document_vector(text)
    return models.SparseVector.model_construct(indices=list(vector.indices), values=list(vector.values))
