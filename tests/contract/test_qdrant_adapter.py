"""What the Qdrant adapter makes of servers that are gone, ill, locked or hold something else."""

from __future__ import annotations

import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import uuid4

import pytest
from qdrant_client import models

from pipeline.errors import BadCredentials, DimensionMismatch, ServiceUnavailable
from pipeline.search import SearchVectors
from pipeline.types import EmbeddingModel, Point, Scope, SearchFilter
from worker.adapters.qdrant import QdrantIndex
from worker.adapters.qdrant_calls import connect_qdrant

SCOPE = Scope(uuid4(), uuid4())
POINT = Point(uuid4(), 1, struct.pack("<4f", 1, 0, 0, 0), {"path": "a.py"})


@pytest.fixture
def model() -> EmbeddingModel:
    return EmbeddingModel("contract", f"adapter-{uuid4()}", 4)


@pytest.fixture
def connect(model):
    made = []

    def build(url: str, api_key: str | None = None) -> QdrantIndex:
        made.append(QdrantIndex(connect_qdrant(url, api_key, timeout=5), model))
        return made[-1]

    yield build
    for index in made:
        index.close()


@pytest.fixture
def answering():
    """Serve scripted (status, body) answers, the last one for ever; yields (url, answers, seen paths)."""
    answers: list[tuple[int, bytes]] = []
    seen: list[str] = []

    class Scripted(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers, seen
    server.shutdown()
    thread.join()
    server.server_close()


EXISTS = b'{"result": {"exists": true}, "status": "ok", "time": 0.0}'


def test_connecting_sends_nothing():
    connect_qdrant("http://127.0.0.1:9").close()


def test_a_server_that_is_not_there_is_unavailable(connect):
    with pytest.raises(ServiceUnavailable):
        connect("http://127.0.0.1:9").ping()


def test_a_passing_fault_of_the_server_is_tried_again(connect, answering):
    url, answers, seen = answering
    answers += [(500, b""), (503, b""), (200, EXISTS)]
    connect(url).ping()
    assert len(seen) == 3


def test_a_lasting_fault_of_the_server_is_unavailable(connect, answering):
    url, answers, seen = answering
    answers.append((500, b""))
    with pytest.raises(ServiceUnavailable):
        connect(url).ping()
    assert len(seen) == 3


def test_something_that_is_no_qdrant_is_unavailable(connect, answering):
    url, answers, _ = answering
    answers.append((200, b"<html>hello</html>"))
    with pytest.raises(ServiceUnavailable):
        connect(url).ping()


@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_missing_or_wrong_key_is_bad_credentials(connect, launch_sidecar, tmp_path, key):
    (tmp_path / "key").write_text("right")
    url = launch_sidecar(tmp_path / "data", "--api-key-file", str(tmp_path / "key")).url
    with pytest.raises(BadCredentials):
        connect(url, key).ping()
    with pytest.raises(BadCredentials):
        connect(url, key).ensure()
    connect(url, "right").ensure()


@pytest.mark.parametrize(
    "vectors",
    [
        {"dense": models.VectorParams(size=3, distance=models.Distance.COSINE)},
        {"dense": models.VectorParams(size=4, distance=models.Distance.DOT)},
        {"other": models.VectorParams(size=4, distance=models.Distance.COSINE)},
        models.VectorParams(size=4, distance=models.Distance.COSINE),
    ],
)
def test_a_collection_of_something_else_is_refused(connect, sidecar_url, vectors):
    index = connect(sidecar_url)
    client = connect_qdrant(sidecar_url)
    client.create_collection(index.collection, vectors_config=vectors)
    try:
        with pytest.raises(DimensionMismatch, match="drop that alias"):
            index.ensure()
    finally:
        client.delete_collection(index.collection)
        client.close()


def test_a_collection_replaced_by_one_of_other_dimensions_is_noticed(connect, sidecar_url):
    index = connect(sidecar_url)
    index.ensure()
    client = connect_qdrant(sidecar_url)
    client.delete_collection(index.collection)
    client.create_collection(
        index.collection, vectors_config={"dense": models.VectorParams(size=3, distance=models.Distance.COSINE)}
    )
    alias = models.CreateAlias(collection_name=index.collection, alias_name=index.alias)
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    with pytest.raises(DimensionMismatch):
        index.upsert(SCOPE, [POINT])
    with pytest.raises(DimensionMismatch):
        index.search(SCOPE, SearchVectors(POINT.vector), 3, SearchFilter())
    client.delete_collection(index.collection)
    client.close()


def test_a_half_made_index_is_completed(connect, sidecar_url):
    index = connect(sidecar_url)
    client = connect_qdrant(sidecar_url)
    client.create_collection(
        index.collection, vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)}
    )
    index.ensure()
    schema = client.get_collection(index.alias).payload_schema
    assert set(schema) == {
        "tenant",
        "project",
        "source",
        "path",
        "places",
        "language",
        "kind",
        "document",
        "generation",
        "traits",
    }
    assert schema["tenant"].params.is_tenant is True
    client.delete_collection(index.collection)
    client.close()


def test_no_text_and_no_vector_is_sent_back_by_a_search(connect, sidecar_url):
    index = connect(sidecar_url)
    index.ensure()
    index.upsert(SCOPE, [POINT])
    (hit,) = index.search(SCOPE, SearchVectors(POINT.vector), 3, SearchFilter())
    assert (hit.id, hit.generation, hit.score) == (POINT.id, 1, pytest.approx(1.0))
    client = connect_qdrant(sidecar_url)
    client.delete_collection(index.collection)
    client.close()
