"""Runs, documents and tasks are answered as the ledger has them, whatever Redis and the index do."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from harness.api import ApiDesk, api_desk, bearer, problem
from harness.bench import Bench
from harness.revisions import functions

from pipeline.errors import RateLimited, ServiceUnavailable
from pipeline.testing import FakeIndex
from pipeline.types import Hit, Scope, SearchFilter, Stage, Token, Vector


class DeadIndex(FakeIndex):
    """An index that does not answer."""

    def search(self, scope: Scope, vector: Vector, limit: int, where: SearchFilter) -> list[Hit]:
        raise ServiceUnavailable("Qdrant", "connection to qdrant.internal:6333 refused")

    def ping(self) -> None:
        raise ServiceUnavailable("Qdrant", "connection to qdrant.internal:6333 refused")


def test_a_run_is_reported_in_full(desk: ApiDesk) -> None:
    run = desk.bench.ingest({"a.py": functions("one", "two")})
    assert desk.body(f"/api/v1/runs/{run.id}")["state"] == "running"
    desk.bench.finish()
    body = desk.body(f"/api/v1/runs/{run.id}")
    assert (body["state"], body["project"], body["source"]) == ("succeeded", "project", "source")
    assert body["documents"]["indexed"] == 1
    assert body["chunks"]["total"] == body["points"]["written"] == 2


def test_a_document_says_where_it_is_and_how_many_chunks_it_has(desk: ApiDesk) -> None:
    desk.bench.ingest({"a.py": functions("one", "two")})
    path = f"/api/v1/documents/{desk.bench.document('a.py')}"
    assert (desk.body(path)["state"], desk.body(path)["stage"], desk.body(path)["chunks"]) == ("pending", "parse", 0)
    desk.bench.finish()
    body = desk.body(path)
    assert (body["state"], body["stage"], body["chunks"], body["next_action"]) == ("indexed", "", 2, "none")


@pytest.mark.parametrize("path", ["runs/{}", "runs/{}/documents", "documents/{}"])
def test_what_does_not_exist_is_not_found_and_what_is_no_id_is_refused(desk: ApiDesk, path: str) -> None:
    assert problem(desk.get(f"/api/v1/{path.format(uuid4())}")) == (404, "NotFound")
    assert problem(desk.get(f"/api/v1/{path.format('latest')}")) == (422, "InvalidRequest")


def test_a_task_joins_celerys_view_with_the_ledgers_and_says_which_is_current(desk: ApiDesk) -> None:
    run = desk.bench.ingest({"a.py": functions("one")})
    sent = desk.bench.take()
    body = desk.body(f"/api/v1/tasks/{sent.task_id}")
    assert (body["is_current"], body["celery"]["state"]) == (True, "UNAVAILABLE")
    assert (body["ledger"]["run_id"], body["ledger"]["state"]) == (str(run.id), "dispatched")
    following = Token(sent.slice_id, Stage.CHUNK, sent.seq + 1)
    assert desk.body(f"/api/v1/tasks/{following.task_id}")["verdict"].startswith("waiting: ")
    claim = desk.bench.claim(sent)
    body = desk.body(f"/api/v1/tasks/{sent.task_id}")
    assert (body["ledger"]["state"], body["ledger"]["worker"]) == ("running", "host:1")
    assert body["ledger"]["lease_until"]
    desk.bench.work(claim)
    assert desk.body(f"/api/v1/tasks/{sent.task_id}")["verdict"].startswith("past: ")
    assert desk.body(f"/api/v1/tasks/{following.task_id}")["is_current"]
    desk.bench.ledger.sweep(-1.0)
    desk.bench.take()
    body = desk.body(f"/api/v1/tasks/{following.task_id}")
    assert (body["is_current"], body["verdict"].partition(":")[0]) == (False, "stale")
    desk.bench.finish()


@pytest.mark.parametrize(
    "task_id",
    ["x", "a:b:c", "{}:parse", "{}:parse:-1", "{}:parse:01", "{}:parse:99999999999", "{}:sweep:1", "%00:%00:1"],
)
def test_what_is_no_task_id_is_not_found(desk: ApiDesk, task_id: str) -> None:
    desk.bench.ingest({"a.py": "x = 1\n"})
    slice_id = desk.bench.take().slice_id
    assert problem(desk.get(f"/api/v1/tasks/{task_id.format(slice_id)}")) == (404, "NotFound")


def test_search_finds_committed_chunks_and_heeds_its_filters(desk: ApiDesk) -> None:
    desk.bench.ingest({"a.py": functions("one", "two"), "b.md": "# one\n\nwords\n"})
    assert desk.body("/api/v1/projects/project/search", q="one")["items"] == []
    desk.bench.finish()
    found = desk.body("/api/v1/projects/project/search", q="one", limit=100)["items"]
    assert {hit["path"] for hit in found} == {"a.py", "b.md"}
    assert found[0]["text"]
    facts = {hit["path"]: hit["facts"] for hit in found}
    assert facts["a.py"]["symbol"] in {"one", "two"}
    assert facts["b.md"] is None
    only = desk.body("/api/v1/projects/project/search", q="one", language=["python", "go"])["items"]
    assert {hit["language"] for hit in only} == {"python"}
    assert desk.body("/api/v1/projects/project/search", q="one", kind="section", language="python")["items"] == []
    assert len(desk.body("/api/v1/projects/project/search", q="one", limit=1)["items"]) == 1


def test_search_leaves_out_files_with_a_trait_or_finds_only_those(desk: ApiDesk) -> None:
    desk.bench.ingest({"a.py": functions("one"), "test_a.py": functions("one"), "vendor/a.py": functions("one")})
    desk.bench.finish()

    def paths(**query: Any) -> set[str]:
        return {hit["path"] for hit in desk.body("/api/v1/projects/project/search", q="one", **query)["items"]}

    assert paths(exclude="test,vendored") == paths(exclude=["test", "vendored"]) == {"a.py"}
    assert paths(only="test") == {"test_a.py"}
    assert paths(only="test,vendored", exclude="vendored") == {"test_a.py"}
    refused = desk.get("/api/v1/projects/project/search", q="one", exclude="tests")
    assert problem(refused) == (422, "InvalidRequest")
    assert "name some of generated" in refused.json()["error"]["message"]


def test_search_says_how_it_ranked_and_by_default_does_as_the_settings_say(bench: Bench, database_url: str) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    with api_desk(bench, database_url, MOBIUS_SEARCH_MODE="hybrid") as desk:
        found = {
            mode: desk.body("/api/v1/projects/project/search", q="one", **({"mode": mode} if mode else {}))
            for mode in ("", "sparse", "dense", "hybrid")
        }
    assert [found[mode]["mode"] for mode in found] == ["hybrid", "sparse", "dense", "hybrid"]
    assert [hit["name"] for hit in found["sparse"]["items"]] == ["one"]
    assert len(found["dense"]["items"]) == 2
    assert found[""] == found["hybrid"]


def test_search_is_confined_to_places_and_shows_whole_definitions(desk: ApiDesk) -> None:
    body = "".join(f"    one_{number} = {number}\n" for number in range(9))
    desk.bench.ingest({"src/a.py": f"def one():\n{body}", "b.py": functions("one")})
    desk.bench.finish()

    def found(query: str) -> list[dict[str, Any]]:
        reply = desk.client.get(f"/api/v1/projects/project/search?q=one&limit=100&{query}", headers=bearer(desk.key))
        items: list[dict[str, Any]] = reply.json()["items"]
        return items

    assert {hit["path"] for hit in found("path=b.py&path=none")} == {"b.py"}
    assert len(found("path=./src/")) > 1
    (whole,) = found("path=src&expand=true")
    assert whole["text"].rstrip() == f"def one():\n{body}".rstrip()


@pytest.mark.parametrize(
    "params",
    [{}, {"q": ""}, {"q": " "}, {"q": "x", "limit": 101}, {"q": "x" * 10_001}, {"q": "x", "mode": "best"}],
)
def test_a_search_for_nothing_or_too_much_is_refused(desk: ApiDesk, params: dict[str, object]) -> None:
    assert problem(desk.get("/api/v1/projects/project/search", **params)) == (422, "InvalidRequest")


def test_without_the_index_only_search_fails_and_says_nothing_of_its_address(bench: Bench, database_url: str) -> None:
    with api_desk(bench, database_url, DeadIndex(bench.embedder.model)) as desk:
        reply = desk.get("/api/v1/projects/project/search", q="one")
        assert problem(reply) == (503, "ServiceUnavailable")
        assert "Qdrant does not answer" in reply.text
        assert "internal" not in reply.text
        assert reply.headers["Retry-After"]
        ready = desk.client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        assert ready.json()["services"] == {"postgres": "ok", "redis": "down", "qdrant": "down"}
        assert "internal" not in ready.text
        assert desk.upload({"a.py": "x = 1\n"}).status_code == 202
        assert desk.body("/api/v1/runs")["items"]


def test_a_provider_that_asks_to_wait_is_passed_on(desk: ApiDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str) -> Vector:
        raise RateLimited(17.0)

    monkeypatch.setattr(desk.bench.embedder, "embed_query", refuse)
    assert desk.get("/api/v1/projects/project/search", q="one").status_code == 200, "by words it needs no provider"
    reply = desk.get("/api/v1/projects/project/search", q="one", mode="dense")
    assert problem(reply) == (503, "RateLimited")
    assert reply.headers["Retry-After"] == "17"


def test_a_database_of_another_schema_is_not_ready_and_says_what_to_do(desk: ApiDesk) -> None:
    assert desk.client.get("/health/ready").json()["services"]["postgres"] == "ok"
    desk.bench.rows("UPDATE alembic_version SET version_num = '0001'")
    reply = desk.client.get("/health/ready")
    assert problem(reply) == (503, "SchemaMismatch")
    assert "mobius migrate" in reply.text
    desk.bench.rows("DROP TABLE api_keys")
    reply = desk.get("/api/v1/runs")
    assert problem(reply) == (503, "SchemaMismatch")


def test_without_postgres_everything_but_liveness_is_a_503(desk: ApiDesk, closed_port: int, bench: Bench) -> None:
    with api_desk(bench, f"postgresql://me:hush@127.0.0.1:{closed_port}/none") as down:
        assert down.client.get("/health/live").status_code == 200
        for path in ("/health/ready", "/api/v1/runs"):
            reply = down.get(path)
            assert problem(reply) == (503, "ServiceUnavailable")
            assert str(closed_port) not in reply.text
        assert problem(down.upload({"a.py": "x = 1\n"})) == (503, "ServiceUnavailable")


def test_reads_change_nothing(desk: ApiDesk) -> None:
    from models.sources import _TENANT  # noqa: PLC0415  any statement that writes

    async def write() -> None:
        await desk.services.reader.read(lambda connection: connection.execute(_TENANT, {"id": uuid4(), "name": "x"}))

    with pytest.raises(Exception, match="read-only transaction"):
        desk.client.portal.call(write)
