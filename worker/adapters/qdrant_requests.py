"""Put our points, conditions and searches into Qdrant's words, and its ids into ours. Nothing here talks to Qdrant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client import models

from pipeline.reconcile import PointId
from pipeline.search import RRF_K, SearchVectors, fused_depth
from pipeline.sparse import SparseVector
from pipeline.types import Point, PointMove, Scope, SearchFilter, Vector
from worker.adapters.qdrant_layout import DENSE, SPARSE


def batch_of(scope: Scope, points: Sequence[Point]) -> models.Batch:
    """Return the points as one batch of columns."""
    return models.Batch(
        ids=[str(point.id) for point in points],
        vectors={
            DENSE: numbers([point.vector for point in points]),
            SPARSE: [_sparse(point.sparse) for point in points],
        },
        payloads=[payload_of(scope, point) for point in points],
    )


def payload_of(scope: Scope, of: Point | PointMove) -> dict[str, Any]:
    """Return the payload to store; scope and generation are the call's, whatever the given one says."""
    return {**of.payload, **scope_fields(scope), "generation": of.generation}


def scope_fields(scope: Scope) -> dict[str, str]:
    """Return the payload fields that confine a point to its scope."""
    return {"tenant": str(scope.tenant_id), "project": str(scope.project_id)}


def numbers(vectors: Sequence[Vector]) -> list[Any]:
    """Return the vectors, of one length, as lists of numbers for JSON."""
    exact = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1)
    # JSON carries doubles. Nine decimals where they mean the same float32: two thirds of the bytes, or less.
    short = np.round(exact.astype(np.float64), 9)
    shortest: list[Any] = np.where(short.astype(np.float32) == exact, short, exact).tolist()
    return shortest


def _sparse(vector: SparseVector) -> models.SparseVector:
    # Not validated again: that takes longer than everything else about it.
    return models.SparseVector.model_construct(indices=list(vector.indices), values=list(vector.values))


def query_of(scope: Scope, vectors: SearchVectors, limit: int, where: SearchFilter) -> dict[str, Any]:
    """Return a search as the keywords of ``query_points``: nearest to one vector, or two such rankings fused."""
    condition = within(
        scope,
        *_any_of("traits", where.only),
        *_any_of("language", where.languages),
        *_any_of("kind", where.kinds),
        *_any_of("source", [str(source) for source in where.sources]),
        *_any_of("places", where.places),
        without=_any_of("traits", where.exclude),
    )
    rankings = _rankings(vectors)
    if len(rankings) == 1:
        ((using, query),) = rankings.items()
        return {"query": query, "using": using, "query_filter": condition, "limit": limit}
    depth = fused_depth(limit)
    return {
        "prefetch": [
            models.Prefetch(query=query, using=using, filter=condition, limit=depth)
            for using, query in rankings.items()
        ],
        "query": models.RrfQuery(rrf=models.Rrf(k=RRF_K)),
        "limit": limit,
    }


def _rankings(vectors: SearchVectors) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if vectors.dense is not None:
        (found[DENSE],) = numbers([vectors.dense])
    if vectors.sparse is not None:
        found[SPARSE] = _sparse(vectors.sparse)
    return found


def within(scope: Scope, *conditions: models.Condition, without: Sequence[models.Condition] = ()) -> models.Filter:
    """Return the filter that confines a request to a scope and to these conditions, ``without`` what meets those."""
    return models.Filter(
        must=[
            *(
                models.FieldCondition(key=key, match=models.MatchValue(value=value))
                for key, value in scope_fields(scope).items()
            ),
            *conditions,
        ],
        must_not=list(without) or None,
    )


def of_generation(lt: int | None = None, lte: int | None = None, gte: int | None = None) -> models.FieldCondition:
    """Return the condition on a stored point's generation."""
    return models.FieldCondition(key="generation", range=models.Range(lt=lt, lte=lte, gte=gte))


def has_id(ids: Sequence[PointId]) -> models.HasIdCondition:
    """Return the condition that a point is one of these."""
    return models.HasIdCondition(has_id=[sent_id(point_id) for point_id in ids])


def sent_id(point_id: PointId) -> str | int:
    """Return an id as it is sent."""
    return str(point_id) if isinstance(point_id, UUID) else point_id


def read_id(point_id: object) -> PointId:
    """Return an id as it came back."""
    return point_id if isinstance(point_id, int) else UUID(str(point_id))


def id_after(point_id: PointId) -> str | int:
    """Return the smallest id above this one, where a page then begins."""
    if isinstance(point_id, UUID):
        return str(UUID(int=point_id.int + 1))
    return point_id + 1 if point_id + 1 < 2**64 else str(UUID(int=0))


def _any_of(key: str, values: Sequence[str]) -> list[models.FieldCondition]:
    return [models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))] if values else []
