"""The sidecar is a Qdrant to its clients, loses nothing that it acknowledged, and refuses what it cannot do."""

from __future__ import annotations

import socket
from uuid import UUID

import httpx
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from worker.adapters.qdrant_calls import connect_qdrant

ONE = "00000000-0000-0000-0000-000000000001"
TWO = "00000000-0000-0000-0000-000000000002"


def fill(client: QdrantClient, name: str = "things") -> None:
    client.create_collection(
        name,
        vectors_config={"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)},
        sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
    sparse = models.SparseVector(indices=[7], values=[1.0])
    client.upsert(
        name,
        [
            models.PointStruct(
                id=ONE, vector={"dense": [1.0, 0.0]}, payload={"n": 1, "tags": ["a", "b"], "gone": None}
            ),
            models.PointStruct(id=TWO, vector={"dense": [0.0, 1.0], "words": sparse}, payload={"n": 2, "flag": True}),
            models.PointStruct(id=3, vector={"dense": [1.0, 1.0]}, payload={"n": 3, "tags": []}),
        ],
    )


@pytest.fixture
def client(sidecar_url):
    found = connect_qdrant(sidecar_url, timeout=10)
    fill(found)
    yield found
    found.delete_collection("things")
    found.close()


def ids(records) -> set[str]:
    return {str(record.id) for record in records}


def matching(client: QdrantClient, **clauses) -> set[str]:
    return ids(client.scroll("things", models.Filter(**clauses), limit=10)[0])


def field(key: str, **condition) -> models.FieldCondition:
    return models.FieldCondition(key=key, **condition)


def test_every_supported_filter_means_what_it_means_in_qdrant(client):
    assert matching(client, must=[field("n", range=models.Range(gt=1, lte=3))]) == {TWO, "3"}
    assert matching(client, must=[field("n", range=models.Range(gte=1, lt=2))]) == {ONE}
    assert matching(client, must=[field("tags", match=models.MatchValue(value="b"))]) == {ONE}
    assert matching(client, must=[field("n", match=models.MatchAny(any=[1, 3]))]) == {ONE, "3"}
    assert matching(client, must=[field("n", match=models.MatchExcept(**{"except": [1]}))]) == {TWO, "3"}
    assert matching(client, must_not=[models.HasIdCondition(has_id=[ONE, 3])]) == {TWO}
    assert matching(client, must=[models.IsEmptyCondition(is_empty=models.PayloadField(key="tags"))]) == {TWO, "3"}
    assert matching(client, must=[models.IsNullCondition(is_null=models.PayloadField(key="gone"))]) == {ONE}
    either = [field("n", match=models.MatchValue(value=1)), models.HasIdCondition(has_id=[3])]
    assert matching(client, should=either) == {ONE, "3"}
    assert matching(client, must=[models.Filter(should=either), field("n", range=models.Range(lt=3))]) == {ONE}
    assert matching(client, min_should=models.MinShould(conditions=either, min_count=2)) == set()


def test_scrolling_walks_all_points_in_id_order(client):
    seen, offset = [], None
    while True:
        page, offset = client.scroll("things", limit=1, offset=offset, with_payload=False)
        seen += [record.id for record in page]
        assert page[0].payload is None
        if offset is None:
            break
    assert seen == [3, ONE, TWO]


def test_points_show_only_what_was_asked_for(client):
    (record,) = client.retrieve("things", [TWO], with_payload=["n"], with_vectors=["words"])
    assert record.payload == {"n": 2}
    assert record.vector == {"words": models.SparseVector(indices=[7], values=[1.0])}
    (record,) = client.retrieve("things", [ONE], with_payload=models.PayloadSelectorExclude(exclude=["n"]))
    assert record.payload == {"tags": ["a", "b"], "gone": None}
    assert client.retrieve("things", [TWO])[0].payload == {"n": 2, "flag": True}
    assert client.retrieve("things", [99, str(UUID(int=99))]) == []


def test_payload_writes_reach_the_selected_points_only(client):
    client.set_payload("things", {"n": 10}, points=[ONE])
    client.overwrite_payload("things", {"new": 1}, points=models.Filter(must=[models.HasIdCondition(has_id=[TWO])]))
    client.delete_payload("things", ["tags"], points=[3])
    payloads = {str(record.id): record.payload for record in client.scroll("things")[0]}
    assert payloads == {ONE: {"n": 10, "tags": ["a", "b"], "gone": None}, TWO: {"new": 1}, "3": {"n": 3}}
    client.delete("things", [ONE, 3])
    assert client.count("things").count == 1


def test_a_batch_is_applied_in_order(client):
    client.batch_update_points(
        "things",
        [
            models.SetPayloadOperation(set_payload=models.SetPayload(payload={"n": 5}, points=[ONE])),
            models.OverwritePayloadOperation(overwrite_payload=models.SetPayload(payload={"m": 6}, points=[ONE])),
            models.DeleteOperation(delete=models.PointIdsList(points=[TWO])),
        ],
    )
    assert client.retrieve("things", [ONE, TWO])[0].payload == {"m": 6}


def test_a_batch_with_a_bad_operation_changes_nothing(client):
    bad = models.PointStruct(id=ONE, vector={"dense": [1.0, 2.0, 3.0]})
    with pytest.raises(UnexpectedResponse) as refusal:
        client.batch_update_points(
            "things",
            [
                models.DeleteOperation(delete=models.PointIdsList(points=[TWO])),
                models.UpsertOperation(upsert=models.PointsList(points=[bad])),
            ],
        )
    assert refusal.value.status_code == 400
    assert client.count("things").count == 3


def test_dense_sparse_and_fused_searches_work(client):
    nearest = client.query_points("things", [1.0, 0.1], using="dense", limit=2, with_vectors=True).points
    assert [str(hit.id) for hit in nearest] == [ONE, "3"]
    assert nearest[0].vector == {"dense": [1.0, 0.0]}
    words = models.SparseVector(indices=[7], values=[2.0])
    assert ids(client.query_points("things", words, using="words").points) == {TWO}
    fused = client.query_points(
        "things",
        models.FusionQuery(fusion=models.Fusion.RRF),
        prefetch=[
            models.Prefetch(query=[1.0, 0.0], using="dense", limit=1),
            models.Prefetch(query=words, using="words", limit=1),
        ],
    ).points
    assert ids(fused) == {ONE, TWO}


def test_a_collection_takes_another_sparse_vector_and_keeps_it(launch_sidecar, tmp_path):
    running = launch_sidecar(tmp_path / "data")
    client = connect_qdrant(running.url)
    fill(client)
    config = models.SparseVectorNameConfig(sparse=models.SparseVectorConfig(modifier=models.Modifier.IDF))
    for _ in range(2):
        client.create_vector_name("things", "more", config)
    words = models.SparseVector(indices=[9], values=[1.0])
    client.upsert("things", [models.PointStruct(id=9, vector={"more": words})])
    running.process.kill()
    running.process.wait()
    client.close()

    client = connect_qdrant(launch_sidecar(tmp_path / "data").url)
    assert client.get_collection("things").config.params.sparse_vectors["more"].modifier == models.Modifier.IDF
    assert ids(client.query_points("things", words, using="more").points) == {"9"}
    client.close()


def test_a_collection_describes_itself(client):
    client.create_payload_index("things", "n", models.PayloadSchemaType.INTEGER)
    client.create_payload_index("things", "t", models.KeywordIndexParams(type="keyword", is_tenant=True))
    client.create_payload_index("things", "t", models.KeywordIndexParams(type="keyword", is_tenant=True))
    info = client.get_collection("things")
    assert info.points_count == 3
    assert info.config.params.vectors["dense"].size == 2
    assert info.config.params.sparse_vectors["words"].modifier == models.Modifier.IDF
    assert {name: index.data_type.value for name, index in info.payload_schema.items()} == {
        "n": "integer",
        "t": "keyword",
    }
    assert info.payload_schema["t"].params.is_tenant is True
    client.delete_payload_index("things", "n")
    assert set(client.get_collection("things").payload_schema) == {"t"}


def test_aliases_stand_for_collections_until_those_are_deleted(client):
    def alias(name: str, target: str) -> models.CreateAliasOperation:
        return models.CreateAliasOperation(create_alias=models.CreateAlias(collection_name=target, alias_name=name))

    client.update_collection_aliases([alias("first", "things"), alias("second", "things")])
    assert client.count("first").count == 3
    assert client.collection_exists("second")
    assert {each.alias_name for each in client.get_collection_aliases("things").aliases} == {"first", "second"}
    client.update_collection_aliases([models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="first"))])
    with pytest.raises(UnexpectedResponse) as refusal:
        client.count("first")
    assert refusal.value.status_code == 404
    client.delete_collection("things")
    assert not client.collection_exists("second")
    fill(client)
    assert "things" not in {each.collection_name for each in client.get_aliases().aliases}


def test_the_same_collection_cannot_be_made_twice(client):
    with pytest.raises(UnexpectedResponse) as refusal:
        fill(client)
    assert refusal.value.status_code == 409


@pytest.fixture(scope="module")
def stock(sidecar_url):
    """A collection that no test changes."""
    found = connect_qdrant(sidecar_url, timeout=30)
    fill(found, "stock")
    yield found
    found.delete_collection("stock")
    found.close()


VECTORS = {"dense": {"size": 2, "distance": "Cosine"}}
NEAREST = {"query": [1.0, 0.0], "using": "dense"}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "absent/points/count", {}, 404, "absent"),
        ("PUT", "stock/points", {"points": [{"id": 1, "vector": {"dense": [1.0]}}]}, 400, "expected dim: 2, got 1"),
        ("PUT", "stock/points", {"points": [{"id": 1, "vector": {"dense": [[1.0], [2.0]]}}]}, 400, "dense"),
        ("PUT", "stock/points", {"points": [{"id": 1, "vector": {"dense": ["a", "b"]}}]}, 400, "Wrong input"),
        ("PUT", "stock/points", {"points": [{"id": 1, "vector": {"nope": [1.0, 2.0]}}]}, 400, "nope"),
        ("PUT", "stock/points", {"points": [{"id": "x", "vector": {}}]}, 400, "'x' is no point id"),
        ("PUT", "stock/points", {"points": [{"id": -1, "vector": {}}]}, 400, "point id"),
        ("PUT", "stock/points", {"points": [{"id": 2**64, "vector": {}}]}, 400, "Wrong input"),
        ("PUT", "stock/points", {"points": [], "shard_key": "a"}, 400, "shard_key"),
        ("PUT", "stock/points", {"points": {}}, 400, "points must be a JSON array"),
        ("PUT", "stock/points", {"batch": {"ids": [1, 2], "vectors": {"dense": [[1.0, 2.0]]}}}, 400, "differ"),
        ("POST", "stock/points/count", {"filter": {"must": [{"key": "a", "geo_radius": {}}]}}, 400, "geo_radius"),
        ("POST", "stock/points/count", {"filter": {"must": [{"key": "a[", "match": {"value": 1}}]}}, 400, "a["),
        ("POST", "stock/points/count", {"filter": {"must": [{"key": "a", "match": {"text": "b"}}]}}, 400, "text"),
        ("POST", "stock/points/count", {"filter": {"must": [{"key": "a", "match": {"value": True}}]}}, 400, "boolean"),
        ("POST", "stock/points/count", {"filter": {"must": [{}]}}, 400, "condition"),
        ("POST", "stock/points/count", {"filter": {"must": [{"nested": {}}]}}, 400, "nested"),
        ("POST", "stock/points/count", [1], 400, "JSON object"),
        ("POST", "stock/points/delete", {}, 400, "points or filter"),
        ("POST", "stock/points/scroll", {"order_by": "n"}, 400, "order_by"),
        ("POST", "stock/points/scroll", {"limit": 0}, 400, "limit"),
        ("POST", "stock/points/query", {"query": [1.0, 0.0]}, 400, "Not existing vector name"),
        ("POST", "stock/points/query", {**NEAREST, "query": [1.0]}, 400, "expected dim: 2, got 1"),
        ("POST", "stock/points/query", {**NEAREST, "query": {"sample": "random"}}, 400, "query"),
        ("POST", "stock/points/query", {"query": {"fusion": "rrf"}}, 400, "prefetch"),
        ("POST", "stock/points/query", {**NEAREST, "lookup_from": {}}, 400, "lookup_from"),
        ("POST", "stock/points/facet", {"key": "n"}, 400, "endpoint"),
        ("PATCH", "stock", {}, 400, "endpoint"),
        ("PUT", "stock/vectors/more", {"dense": {"size": 2, "distance": "Dot"}}, 400, "dense"),
        ("PUT", "stock/vectors/dense", {"sparse": {}}, 400, "there is a dense vector"),
        ("PUT", "stock/vectors/more", {"sparse": {"modifier": "odd"}}, 400, "odd"),
        ("PUT", "stock/index", {"field_name": "a", "field_schema": "geo"}, 400, "geo"),
        ("PUT", "new", {"vectors": {"dense": {"size": 2, "distance": "Far"}}}, 400, "distance"),
        ("PUT", "new", {"vectors": {"dense": {"size": 0, "distance": "Dot"}}}, 400, "size"),
        ("PUT", "new", {"vectors": VECTORS, "shard_number": 3}, 400, "shard_number"),
        ("PUT", "new", {}, 400, "at least one vector"),
        ("PUT", "..%2Fnew", {"vectors": VECTORS}, 400, ""),
        ("PUT", "-new", {"vectors": VECTORS}, 400, "collection name"),
    ],
)
def test_a_refusal_names_its_reason(stock, sidecar_url, method, path, body, status, said):
    answer = httpx.request(method, f"{sidecar_url}/collections/{path}", json=body)
    assert answer.status_code == status
    assert said in answer.json()["status"]["error"]
    assert [each.name for each in stock.get_collections().collections if each.name == "new"] == []
    assert stock.count("stock").count == 3


def test_a_body_that_is_no_json_or_too_large_is_refused(stock, sidecar_url):
    url = f"{sidecar_url}/collections/stock/points"
    assert httpx.put(url, content=b"{").status_code == 400
    assert httpx.put(url, content=b" " * (33 * 1024 * 1024), timeout=30).status_code == 413
    assert stock.count("stock").count == 3


def test_it_says_who_it_is_and_that_it_lives(sidecar_url):
    assert "sidecar" in httpx.get(sidecar_url).json()["title"]
    assert {httpx.get(f"{sidecar_url}/{path}").status_code for path in ("healthz", "readyz", "livez")} == {200}


def test_only_callers_who_know_the_key_get_in(launch_sidecar, tmp_path):
    (tmp_path / "key").write_text("secret\n")
    url = launch_sidecar(tmp_path / "data", "--api-key-file", str(tmp_path / "key")).url
    assert httpx.get(f"{url}/collections").status_code == 401
    assert httpx.get(f"{url}/collections", headers={"api-key": "wrong"}).status_code == 403
    assert httpx.get(f"{url}/nowhere", headers={"api-key": "wrong"}).status_code == 403
    assert httpx.get(f"{url}/collections", headers={"api-key": "secret"}).status_code == 200
    assert httpx.get(f"{url}/collections", headers={"authorization": "Bearer secret"}).status_code == 200


def test_what_was_acknowledged_survives_a_kill(launch_sidecar, tmp_path):
    running = launch_sidecar(tmp_path / "data")
    client = connect_qdrant(running.url)
    fill(client)
    alias = models.CreateAlias(collection_name="things", alias_name="alias")
    client.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
    client.create_payload_index("things", "n", models.PayloadSchemaType.INTEGER)
    client.overwrite_payload("things", {"n": 20}, points=[TWO])
    client.delete("things", [3])
    running.process.kill()
    running.process.wait()
    client.close()

    client = connect_qdrant(launch_sidecar(tmp_path / "data").url)
    records = {record.id: record.payload["n"] for record in client.scroll("alias")[0]}
    assert records == {ONE: 1, TWO: 20}
    assert "n" in client.get_collection("alias").payload_schema
    client.close()


def test_sigterm_ends_it_cleanly_and_it_comes_back_whole(launch_sidecar, tmp_path):
    running = launch_sidecar(tmp_path / "data")
    client = connect_qdrant(running.url)
    fill(client)
    assert running.stop() == 0
    client.close()
    client = connect_qdrant(launch_sidecar(tmp_path / "data").url)
    assert client.count("things").count == 3
    client.close()


def test_a_taken_port_is_said_in_one_line(run_sidecar, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_sidecar(tmp_path / "data", port)
    assert ended.returncode == 1
    assert (
        ended.stderr == f"sidecar: cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port\n"
    )


def test_two_sidecars_never_share_a_directory(launch_sidecar, run_sidecar, tmp_path):
    launch_sidecar(tmp_path / "data")
    ended = run_sidecar(tmp_path / "data", 0)
    assert ended.returncode == 1
    assert "open in another sidecar" in ended.stderr
    assert ended.stderr.count("\n") == 1
