"""Write points as somebody else would: with any payload, under a number too."""

from __future__ import annotations

from uuid import UUID, uuid4

from qdrant_client import models

from pipeline.testing import FakeIndex
from pipeline.testing.vectors import hashed_numbers, hashed_vector
from pipeline.types import Point
from worker.adapters.qdrant import QdrantIndex


def plant(index: FakeIndex | QdrantIndex, point_id: UUID | int, payload: dict[str, object]) -> None:
    """Put a point into an index past its port."""
    if isinstance(index, FakeIndex):
        index.points[point_id] = Point(uuid4(), 0, hashed_vector("foreign", index.model.dims), payload)
        return
    sent = point_id if isinstance(point_id, int) else str(point_id)
    vector = {"dense": hashed_numbers("foreign", index._model.dims)}
    index._client.upsert(index.collection, [models.PointStruct(id=sent, vector=vector, payload=payload)], wait=True)
