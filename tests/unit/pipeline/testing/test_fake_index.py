"""What the fake index does beyond the port: it remembers, and it fails when told to."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.errors import ServiceUnavailable
from pipeline.search import SearchVectors
from pipeline.testing import FakeIndex, hashed_vector
from pipeline.types import EmbeddingModel, Point, PointMove, Retirement, Scope, SearchFilter

SCOPE = Scope(UUID(int=1), UUID(int=2))
POINT = Point(UUID(int=3), 5, hashed_vector("text", 4), {"path": "a.py"})


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex(EmbeddingModel("testing", "fake", 4))


def test_it_remembers_only_what_really_changed(index):
    index.upsert(SCOPE, [POINT])
    index.upsert(SCOPE, [Point(POINT.id, 4, POINT.vector, {})])
    index.move(SCOPE, [PointMove(POINT.id, 6, {}), PointMove(UUID(int=9), 6, {})])
    index.delete(SCOPE, [Retirement(POINT.id, 6)])
    index.delete(SCOPE, [Retirement(POINT.id, 7), Retirement(POINT.id, 7)])
    assert (index.written, index.moved, index.deleted) == ([POINT.id], [POINT.id], [POINT.id])


def test_every_call_raises_the_fault_while_it_is_set(index):
    index.fault = ServiceUnavailable("Qdrant")
    attempts = [
        index.ping,
        index.ensure,
        lambda: index.upsert(SCOPE, [POINT]),
        lambda: index.move(SCOPE, []),
        lambda: index.delete(SCOPE, []),
        lambda: index.retrieve(SCOPE, []),
        lambda: index.search(SCOPE, SearchVectors(POINT.vector), 1, SearchFilter()),
        lambda: index.count(SCOPE),
        lambda: index.scan(None, None, 1),
        lambda: index.look_up([]),
        lambda: index.remove([]),
    ]
    for attempt in attempts:
        with pytest.raises(ServiceUnavailable):
            attempt()
    index.fault = None
    assert index.count(SCOPE) == 0


def test_a_dropped_index_is_empty(index):
    index.upsert(SCOPE, [POINT])
    index.drop()
    assert index.count(SCOPE) == 0
