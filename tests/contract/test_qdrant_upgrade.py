"""A collection from before there were sparse vectors is completed where it stands, by whoever meets it first."""

from __future__ import annotations

import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import httpx
import pytest
from qdrant_client import models
from qdrant_client.http.exceptions import UnexpectedResponse

from pipeline.search import SearchVectors
from pipeline.sparse import document_vector, query_vector
from pipeline.types import EmbeddingModel, Point, Scope, SearchFilter
from worker.adapters.qdrant import QdrantIndex, open_index
from worker.adapters.qdrant_calls import connect_qdrant
from worker.adapters.qdrant_collection import OutdatedServer

SCOPE = Scope(uuid4(), uuid4())
POINT = Point(uuid4(), 1, struct.pack("<4f", 1, 0, 0, 0), {"path": "a.py"})
OLD = {"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)}
WORDS = SearchVectors(None, query_vector("basket"))


@pytest.fixture
def connect(sidecar_url):
    """Make what several processes would have: indexes of one model that nothing else uses."""
    model = EmbeddingModel("contract", f"outdated-{uuid4()}", 4)
    made = []

    def build() -> QdrantIndex:
        made.append(open_index(sidecar_url, None, model))
        return made[-1]

    yield build
    for index in made:
        index.close()


@pytest.fixture
def outdated(connect, sidecar_url):
    """An index over a collection that was made before there were sparse vectors, with a point in it."""
    index = connect()
    client = connect_qdrant(sidecar_url)
    client.create_collection(index.collection, vectors_config=OLD)
    alias = models.CreateAlias(collection_name=index.collection, alias_name=index.alias)
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    payload = {"tenant": str(SCOPE.tenant_id), "project": str(SCOPE.project_id), "generation": 1}
    point = models.PointStruct(id=str(POINT.id), vector={"dense": [1.0, 0.0, 0.0, 0.0]}, payload=payload)
    client.upsert(index.collection, [point], wait=True)
    yield index
    client.delete_collection(index.collection)
    client.close()


def test_an_older_collection_is_completed_where_it_stands_and_loses_nothing(outdated):
    outdated.ensure()
    outdated.ensure()
    assert [hit.id for hit in outdated.search(SCOPE, SearchVectors(POINT.vector), 3, SearchFilter())] == [POINT.id]
    assert outdated.scan(SCOPE, None, 3)[0].sparse is None
    assert outdated.scan(SCOPE, None, 3)[0].traits is None
    assert len(outdated.search(SCOPE, SearchVectors(POINT.vector), 3, SearchFilter(exclude=("test",)))) == 1
    assert list(outdated.search(SCOPE, WORDS, 3, SearchFilter())) == []
    outdated.upsert(SCOPE, [replace(POINT, sparse=document_vector("basket"))])
    assert [hit.id for hit in outdated.search(SCOPE, WORDS, 3, SearchFilter())] == [POINT.id]


def test_whatever_meets_an_older_collection_first_completes_it(outdated):
    assert list(outdated.search(SCOPE, WORDS, 3, SearchFilter())) == []
    fused = outdated.search(SCOPE, replace(WORDS, dense=POINT.vector), 3, SearchFilter())
    assert [hit.id for hit in fused] == [POINT.id]


def test_a_write_to_an_older_collection_completes_it(outdated):
    outdated.upsert(SCOPE, [replace(POINT, generation=2, sparse=document_vector("basket"))])
    assert [hit.generation for hit in outdated.search(SCOPE, WORDS, 3, SearchFilter())] == [2]


def test_two_processes_may_complete_a_collection_at_once(outdated, connect):
    indexes = [outdated, *(connect() for _ in range(3))]
    start = threading.Barrier(len(indexes))

    def ensure(index):
        start.wait()
        index.ensure()

    with ThreadPoolExecutor(len(indexes)) as pool:
        assert list(pool.map(ensure, indexes)) == [None] * len(indexes)


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_server_that_cannot_complete_it_says_what_to_do(outdated, monkeypatch, status):
    def refuse(*_args: object) -> None:
        raise UnexpectedResponse(status, "", b"{}", httpx.Headers())

    monkeypatch.setattr(outdated._client, "create_vector_name", refuse)
    with pytest.raises(OutdatedServer, match="mobius reconcile --repair"):
        outdated.ensure()
