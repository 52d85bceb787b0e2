"""Drift planted in both stores while real workers ingest is all found and mended, and nothing else is taken for it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from harness.desk import Desk, files_of
from harness.fleet import Fleet, wait_until
from harness.inspection import Inspection
from harness.trees import module

from pipeline.testing.openai_stub import OpenAIStub


class Qdrant:
    """The module's collection, past every port of ours."""

    def __init__(self, desk: Desk) -> None:
        self._http = httpx.Client(
            base_url=desk.env["QDRANT_URL"], headers={"api-key": desk.env["QDRANT_API_KEY"]}, timeout=30
        )
        aliases = self.get("/aliases")["aliases"]
        slug = desk.env["MOBIUS_OPENAI_MODEL"].lower().replace("_", "-")
        (self.alias,) = (each["alias_name"] for each in aliases if slug in each["alias_name"])
        (self.collection,) = (each["collection_name"] for each in aliases if each["alias_name"] == self.alias)

    def get(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()["result"]

    def _post(self, method: str, path: str, body: object) -> Any:
        url = f"/collections/{self.alias}/points{path}?wait=true"
        return self._http.request(method, url, json=body).raise_for_status().json()["result"]

    def delete(self, ids: list[str]) -> None:
        self._post("POST", "/delete", {"points": ids})

    def set_payload(self, ids: list[str], payload: dict[str, object]) -> None:
        self._post("POST", "/payload", {"points": ids, "payload": payload})

    def put(self, point_id: str | int, payload: dict[str, object]) -> None:
        point = {"id": point_id, "vector": {"dense": [1.0] + [0.0] * 31}, "payload": payload}
        self._post("PUT", "", {"points": [point]})

    def everything(self) -> dict[str | int, Any]:
        found, offset = {}, None
        while True:
            body = {"limit": 500, "with_payload": True, "with_vector": True, "offset": offset}
            page = self._post("POST", "/scroll", body)
            found |= {point["id"]: (point["payload"], point["vector"]) for point in page["points"]}
            offset = page["next_page_offset"]
            if offset is None:
                return found

    def drop(self) -> None:
        self._http.delete(f"/collections/{self.collection}").raise_for_status()

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """A project whose documents are all indexed."""
    for number in range(6):
        (desk.tree / f"module_{number}.py").write_text(module(f"{desk.project}_{number}", 5))
    desk.ingest()
    return desk


@pytest.fixture
def qdrant(filled: Desk) -> Iterator[Qdrant]:
    made = Qdrant(filled)
    yield made
    made.close()


def reconcile(desk: Desk, *options: str, code: int | None = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(desk.run("reconcile", *options, "--json", code=code).stdout)
    return found


def sql(desk: Desk, statement: str, *values: object) -> None:
    with psycopg.connect(desk.env["DATABASE_URL"]) as connection:
        connection.execute(statement, values)


def plant(desk: Desk, qdrant: Qdrant, ids: list[str]) -> dict[str, int]:
    """Plant every kind of drift, each at points of its own, and return how many of which."""
    ids = list(ids)
    random.Random(3).shuffle(ids)
    missing, older, newer, texts, inputs, tenants, unretired, rows = (ids[n : n + 3] for n in range(0, 24, 3))
    qdrant.delete(missing)
    qdrant.set_payload(older, {"generation": 0})
    qdrant.set_payload(newer, {"generation": 70})
    qdrant.set_payload(texts, {"text_hash": "00" * 32})
    qdrant.set_payload(inputs, {"embed_hash": "11" * 32})
    qdrant.set_payload(tenants, {"tenant": str(uuid4())})
    sql(desk, "DELETE FROM chunks WHERE id = ANY(%s::uuid[])", unretired)
    sql(desk, "UPDATE chunks SET generation = generation + 5 WHERE id = ANY(%s::uuid[])", rows)
    stranger = {"tenant": str(uuid4()), "project": str(uuid4()), "document": str(uuid4()), "generation": 3}
    qdrant.put(str(uuid4()), stranger)
    qdrant.put(str(uuid4()), {})
    qdrant.put(random.Random(4).getrandbits(60), {"note": "of somebody else"})
    return {"missing": 3, "orphan": 3 + 3, "stale": 3 * 6}


def drifted(found: dict[str, Any]) -> dict[str, int]:
    return {kind: found[kind] for kind in ("missing", "orphan", "stale")}


NOTHING = {"missing": 0, "orphan": 0, "stale": 0}


@pytest.fixture
def slow_provider(filled: Desk) -> Iterator[None]:
    """A provider that takes its time, so that a run of several slices lasts for many reconciliations."""
    filled.provider.latency = 5.0
    yield
    filled.provider.latency = 0.0


def is_at_work(desk: Desk) -> bool:
    return bool(desk.inspection.rows("SELECT 1 FROM run_documents WHERE outcome = 'pending'"))


def test_drift_planted_while_a_run_ingests_is_all_found_and_all_mended_and_nothing_is_bought_for_it(
    filled: Desk, qdrant: Qdrant, slow_provider: None
) -> None:
    ids = sorted(filled.points())
    for number in range(32):
        (filled.tree / f"late_{number}.py").write_text(module(f"{filled.project}_late_{number}", 3))
    filled.run("ingest", filled.tree, "--no-wait", extra={"MOBIUS_SLICE_DOCUMENTS": "1"})
    quiet = reconcile(filled)
    planted = plant(filled, qdrant, ids)
    found = reconcile(filled, code=4)
    mended = reconcile(filled, "--repair")
    after = reconcile(filled)
    assert is_at_work(filled), "all of that was beside a run"
    filled.provider.latency = 0.0

    assert drifted(quiet) == NOTHING
    assert drifted(found) == planted
    assert (drifted(mended), mended["left"], mended["failed"]) == (planted, 0, 0)
    assert mended["repaired"] == sum(planted.values())
    assert drifted(after) == NOTHING
    unrepaired = "SELECT 1 FROM drifts WHERE repaired_at IS NULL AND reconciliation_id = %s"
    assert filled.inspection.rows(unrepaired, mended["reconciliation_id"]) == []

    wait_until(lambda: not is_at_work(filled), "the run ends", 100)
    final = reconcile(filled)
    assert (drifted(final), final["deferred"]) == (NOTHING, 0)
    bought = filled.bought()
    assert len(bought) == len(set(bought)), "no text was bought twice, so none for a repair"


def test_passes_without_a_pause_find_no_drift_in_a_run_that_writes_moves_and_deletes(filled: Desk) -> None:
    """Every document is edited at its top, so that its points are written, moved and deleted while passes go on."""
    for path in filled.tree.glob("*.py"):
        path.write_text(f"import {path.stem}_new\n\n\n{path.read_text()}")
    (filled.tree / "README.md").unlink()
    filled.run("ingest", filled.tree, "--no-wait", extra={"MOBIUS_SLICE_DOCUMENTS": "1"})
    passes = [reconcile(filled)]
    while is_at_work(filled):
        passes.append(reconcile(filled, *(["--repair"] if len(passes) % 2 else [])))
    assert [drifted(each) for each in passes] == [NOTHING] * len(passes)
    filled.assert_holds(files_of(filled.tree))


def test_repairs_give_back_exactly_what_was_there_without_a_call_to_the_provider(filled: Desk, qdrant: Qdrant) -> None:
    before, calls = qdrant.everything(), len(filled.provider.calls)
    ids = sorted(filled.points())
    qdrant.delete(ids[::2])
    qdrant.set_payload(ids[1::4], {"generation": 70, "path": "elsewhere", "embed_hash": ""})
    assert reconcile(filled, "--project", filled.project, code=4)["repaired"] == 0
    assert reconcile(filled, "--project", filled.project, "--repair")["left"] == 0
    assert qdrant.everything() == before
    assert len(filled.provider.calls) == calls
    filled.assert_holds(files_of(filled.tree))


def found_by_both(desk: Desk) -> list[list[Any]]:
    """What a dense search finds, and the first place of a sparse one: its scores weigh points that are gone as well."""
    sparse = desk.search(f"{desk.project}_1", "--mode", "sparse")
    return [desk.search(f"{desk.project}_1", "--mode", "dense"), [hit["path"] for hit in sparse[:1]]]


def test_a_dropped_collection_is_rebuilt_whole_and_searched_again_for_nothing(filled: Desk, qdrant: Qdrant) -> None:
    before, calls = qdrant.everything(), len(filled.provider.calls)
    hits = found_by_both(filled)
    assert all(hits)
    qdrant.drop()
    found = reconcile(filled, code=4)
    assert (found["missing"], found["scanned"]) == (len(before), 0)
    assert qdrant.get(f"/collections/{qdrant.collection}/exists")["exists"] is False, "a dry run makes no collection"
    mended = reconcile(filled, "--repair")
    assert (mended["repaired"], mended["left"]) == (len(before), 0)
    assert qdrant.everything() == before
    assert found_by_both(filled) == hits
    assert len(filled.provider.calls) == calls + 1, "the search's own query, once"


def test_a_repair_that_would_delete_most_of_the_index_is_refused_until_it_is_allowed(
    filled: Desk, qdrant: Qdrant
) -> None:
    ids = sorted(filled.points())
    before = qdrant.everything()
    scope = ("--project", filled.project)
    sql(filled, "DELETE FROM chunks WHERE id = ANY(%s::uuid[])", ids)
    refused = reconcile(filled, *scope, "--repair", code=5)
    assert (refused["state"], refused["orphan"], refused["repaired"]) == ("refused", len(ids), 0)
    assert "--allow-delete" in refused["message"]
    assert qdrant.everything() == before
    shown = filled.run("reconcile", *scope, "--repair", code=5).stdout
    assert "refused" in shown
    assert reconcile(filled, *scope, "--repair", "--allow-delete")["left"] == 0
    assert filled.points() == {}


def test_of_two_at_once_one_is_refused_and_says_why(filled: Desk) -> None:
    sql(
        filled,
        "INSERT INTO reconciliations (id, is_repair, state, owner, lease_until)"
        " VALUES (gen_random_uuid(), true, 'running', gen_random_uuid(), now() + interval '1 h')",
    )
    try:
        assert "another reconciliation is running" in filled.refused("reconcile", code=5)
        assert reconcile(filled, "--repair", code=5)["state"] == "refused"
    finally:
        sql(filled, "UPDATE reconciliations SET lease_until = now() - interval '1 s' WHERE state = 'running'")
    assert reconcile(filled)["state"] == "finished"
    assert filled.inspection.rows("SELECT 1 FROM reconciliations WHERE state = 'interrupted'") != []


def test_a_project_that_does_not_exist_is_named(filled: Desk) -> None:
    assert "there is no project 'nowhere'" in filled.refused("reconcile", "--project", "nowhere")


def test_beat_mends_by_itself_with_real_workers(
    fleet: Fleet, inspection: Inspection, provider: OpenAIStub, tree: Path, environment: dict[str, str]
) -> None:
    fleet.dispatcher()
    worker = fleet.worker("worker")
    fleet.mobius("ingest", str(tree))
    inspection.assert_true_to(tree)
    calls = len(provider.calls)
    headers = {"api-key": environment["QDRANT_API_KEY"]}
    with httpx.Client(base_url=environment["QDRANT_URL"], headers=headers) as client:
        slug = environment["MOBIUS_OPENAI_MODEL"].replace("_", "-")
        names = [each["name"] for each in client.get("/collections").json()["result"]["collections"]]
        (collection,) = (name for name in names if slug in name)
        client.delete(f"/collections/{collection}").raise_for_status()
    assert inspection.points() == {}
    beat = ["celery", "-A", "worker.app", "beat", "--schedule", str(tree.parent / "schedule"), "--pidfile="]
    fleet.start("beat", beat, MOBIUS_RECONCILE_SECONDS="1")
    wait_until(lambda: bool(inspection.points()), "beat's reconciliation fills the index again")
    wait_until(lambda: bool(worker.records("reconciliation_finished")), "the pass ends")
    inspection.assert_true_to(tree)
    assert len(provider.calls) == calls
    record = worker.records("reconciliation_finished")[0]
    assert record["repaired"] == record["missing"] == len(inspection.points())
