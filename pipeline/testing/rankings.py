"""Rank points as an index does: by cosine, by shared words with IDF, and both fused. Best first, with scores."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import TypeAlias
from uuid import UUID

from pipeline.search import RRF_K
from pipeline.sparse import SparseVector
from pipeline.testing.vectors import cosine
from pipeline.types import Point, Vector

Ranking: TypeAlias = list[tuple[UUID, float]]


def by_cosine(query: Vector, points: Collection[Point]) -> Ranking:
    """Rank all points by the similarity of their dense vectors."""
    return _ranked({point.id: cosine(query, point.vector) for point in points})


def by_words(query: SparseVector, points: Collection[Point], corpus: Collection[Point]) -> Ranking:
    """Rank those points that share an index with the query; the corpus says how rare each is.

    IDF as Qdrant has it: ``ln(1 + (N - n + 0.5) / (n + 0.5))`` over the N points with a sparse vector.
    """
    occurrences = Counter(index for point in corpus for index in point.sparse.indices)
    total = sum(bool(point.sparse.indices) for point in corpus)
    weights = {
        index: value * math.log1p((total - occurrences[index] + 0.5) / (occurrences[index] + 0.5))
        for index, value in _pairs(query)
    }
    scores = {
        point.id: sum(weights[index] * value for index, value in _pairs(point.sparse) if index in weights)
        for point in points
        if not weights.keys().isdisjoint(point.sparse.indices)
    }
    return _ranked(scores)


def fused(rankings: Sequence[Ranking]) -> Ranking:
    """Fuse rankings by reciprocal rank."""
    scores: defaultdict[UUID, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (point_id, _) in enumerate(ranking):
            scores[point_id] += 1 / (RRF_K + rank)
    return _ranked(scores)


def _pairs(vector: SparseVector) -> list[tuple[int, float]]:
    return list(zip(vector.indices, vector.values, strict=True))


def _ranked(scores: dict[UUID, float]) -> Ranking:
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
