"""Rank a set's chunks for its queries as the product does, exactly, in this process.

Chunker, header, sparse vectors and the lexical embedder are the product's own. The index is modelled: the inner
product; for sparse vectors times Qdrant's idf, ln(1 + (N - df + 0.5) / (df + 0.5)) over all points; and reciprocal
rank fusion with k = 60.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from benchmarks.search_set import SearchSet
from pipeline.chunk import ChunkBudget, chunk
from pipeline.header import embedding_input
from pipeline.parse.parser import parse
from pipeline.sparse import SparseVector, document_vector, query_vector
from pipeline.types import DocumentRef
from worker.adapters.lexical import LexicalEmbedder

#: How far down a ranking goes.
DEPTH = 200
#: Of reciprocal rank fusion.
RRF_K = 60

Scores = NDArray[np.float64]
Ranking = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk: its file, its span there, and what is embedded of it."""

    file: int
    start: int
    end: int
    text: str


def pieces_of(given: SearchSet, budget: ChunkBudget, *, with_header: bool) -> list[Piece]:
    """Return the chunks of a set's files; without a header, its line of the path stays and is empty."""
    pieces: list[Piece] = []
    for number, source in enumerate(given.files):
        document = DocumentRef(UUID(int=0), source.path, "python", 0, b"")
        for made in chunk(
            document, source.text, parse(source.text, "python", leaf_bytes=budget.leaf_bytes), budget
        ).chunks:
            body = source.text[made.start : made.end].decode()
            text = (
                embedding_input(source.path, made.scope_signatures, made.defines, body) if with_header else f"\n{body}"
            )
            pieces.append(Piece(number, made.start, made.end, text))
    return pieces


class SparseIndex:
    """Sparse vectors by term, with their idf."""

    def __init__(self, vectors: Sequence[SparseVector]) -> None:
        terms = np.array([term for vector in vectors for term in vector.indices], dtype=np.uint32)
        values = np.array([value for vector in vectors for value in vector.values])
        rows = np.repeat(np.arange(len(vectors)), [len(vector.indices) for vector in vectors])
        order = np.argsort(terms, kind="stable")
        self._terms, self._rows, self._values = terms[order], rows[order], values[order]
        self._points = len(vectors)

    def scores(self, query: SparseVector) -> Scores:
        """Return every point's score."""
        scores = np.zeros(self._points)
        wanted = np.array(query.indices, dtype=np.uint32)
        bounds = zip(
            np.searchsorted(self._terms, wanted), np.searchsorted(self._terms, wanted, side="right"), strict=True
        )
        for (first, last), weight in zip(bounds, query.values, strict=True):
            frequency = last - first
            idf = np.log(1 + (self._points - frequency + 0.5) / (frequency + 0.5))
            scores[self._rows[first:last]] += weight * idf * self._values[first:last]
        return scores


def ranked(scores: Scores) -> Ranking:
    """Return the best points, best first; of equals the earlier; none that has nothing in common with the query."""
    order = np.argsort(-scores, kind="stable")[:DEPTH]
    return order[scores[order] > 0]


def fused(rankings: Sequence[Ranking], points: int) -> Ranking:
    """Return the reciprocal rank fusion of several rankings."""
    scores = np.zeros(points)
    for ranking in rankings:
        scores[ranking] += 1 / (RRF_K + 1 + np.arange(len(ranking)))
    return ranked(scores)


def sparse_rankings(pieces: Sequence[Piece], queries: Sequence[str]) -> list[Ranking]:
    """Rank by the sparse vectors alone."""
    index = SparseIndex([document_vector(piece.text) for piece in pieces])
    return [ranked(index.scores(query_vector(query))) for query in queries]


def dense_rankings(pieces: Sequence[Piece], queries: Sequence[str]) -> list[Ranking]:
    """Rank by the lexical embedder's vectors alone."""
    embedder = LexicalEmbedder()

    def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
        packed = b"".join(embedder.embed_query(text) for text in texts)
        return np.frombuffer(packed, dtype="<f4").reshape(len(texts), embedder.model.dims)

    points = vectors([piece.text for piece in pieces])
    return [ranked((points @ query).astype(np.float64)) for query in vectors(queries)]
