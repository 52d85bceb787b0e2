"""Lists turn page by page without repeating or losing a row, and their filters say what the reports say."""

from __future__ import annotations

from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from harness.api import ApiDesk, problem
from harness.revisions import functions

from models.listings import read_runs
from pipeline.states import Hold, Outcome, PlanState, RunState, run_state


def pages(desk: ApiDesk, path: str, limit: int, **params: Any) -> list[list[dict[str, Any]]]:
    """Turn all pages of a list."""
    found: list[list[dict[str, Any]]] = []
    after: dict[str, str] = {}
    while True:
        body = desk.body(path, limit=limit, **params, **after)
        found.append(body["items"])
        if body["next"] is None:
            return found
        after = {"after": body["next"]}


def test_runs_come_newest_first_in_pages_of_the_asked_size(desk: ApiDesk) -> None:
    runs = [str(desk.bench.ingest({f"{number}.py": "x = 1\n"}).id) for number in range(5)]
    found = pages(desk, "/api/v1/runs", 2)
    assert [len(page) for page in found] == [2, 2, 1]
    assert [row["run_id"] for page in found for row in page] == runs[::-1]
    assert [len(page) for page in pages(desk, "/api/v1/runs", 5)] == [5]  # a last page that is full has no next


def test_runs_of_the_same_moment_are_all_listed_once(desk: ApiDesk) -> None:
    runs = {str(desk.bench.ingest({f"{number}.py": "x = 1\n"}).id) for number in range(5)}
    desk.bench.rows("UPDATE runs SET created_at = '2026-01-01T00:00:00Z'")
    found = [row["run_id"] for page in pages(desk, "/api/v1/runs", 2) for row in page]
    assert len(found) == 5
    assert set(found) == runs


def test_a_run_that_begins_while_pages_are_turned_shifts_nothing(desk: ApiDesk) -> None:
    runs = [str(desk.bench.ingest({f"{number}.py": "x = 1\n"}).id) for number in range(4)]
    first = desk.body("/api/v1/runs", limit=2)
    desk.bench.ingest({"late.py": "x = 1\n"})
    second = desk.body("/api/v1/runs", limit=2, after=first["next"])
    assert [row["run_id"] for body in (first, second) for row in body["items"]] == runs[::-1]


def test_runs_are_filtered_by_project_and_state(desk: ApiDesk) -> None:
    done = desk.bench.ingest({"a.py": functions("one")})
    desk.bench.finish()
    other = desk.bench.sources.resolve("tenant", "other", "source", "/other")
    waiting = desk.bench.ingest({"b.py": functions("two")}, source=other)
    assert [row["run_id"] for row in desk.body("/api/v1/runs", project="project")["items"]] == [str(done.id)]
    assert [row["run_id"] for row in desk.body("/api/v1/runs", state="running")["items"]] == [str(waiting.id)]
    assert desk.body("/api/v1/runs", project="other", state="succeeded")["items"] == []


def test_the_state_filter_means_the_derived_state_in_every_case(desk: ApiDesk) -> None:
    """Each combination of what the state depends on is made, and found under what `run_state` says, nowhere else."""
    bench = desk.bench
    run = bench.ingest({"a.py": "x = 1\n"})
    outcomes: list[Outcome | None] = [None, *Outcome]
    asked = {Hold.NONE: (False, False), Hold.PAUSED: (True, False), Hold.CANCELLED: (False, True)}
    for plan, outcome, withheld, hold in product(PlanState, outcomes, (0, 1), Hold):
        paused, cancelled = asked[hold]
        bench.rows(
            "UPDATE runs SET plan_state = :plan, withheld = :withheld, paused_at = CASE WHEN :paused THEN now() END,"
            " cancelled_at = CASE WHEN :cancelled THEN now() END",
            plan=plan,
            withheld=withheld,
            paused=paused,
            cancelled=cancelled,
        )
        bench.rows("DELETE FROM run_documents")
        if outcome is not None:
            bench.rows(
                "INSERT INTO run_documents (run_id, document_id, action, is_new, generation, outcome)"
                " VALUES (:run, :document, 'index', true, 1, :outcome)",
                run=run.id,
                document=bench.document("a.py"),
                outcome=outcome,
            )
        expected = run_state(plan, {outcome: 1} if outcome else {}, withheld=withheld > 0, hold=hold)
        with bench.engine.begin() as connection:
            found = [state for state in RunState if read_runs(connection, "tenant", limit=9, state=state)]
        assert found == [expected], (plan, outcome, withheld, hold)


def test_a_runs_documents_are_paged_and_filtered_by_outcome(desk: ApiDesk) -> None:
    desk.bench.embedder.refused.add("refused")
    run = desk.bench.ingest(
        {f"{number}.py": functions(f"f{number}") for number in range(5)}, {"b.py": functions("refused")}
    )
    path = f"/api/v1/runs/{run.id}/documents"
    assert {row["outcome"] for row in desk.body(path)["items"]} == {"pending"}
    desk.bench.finish()
    found = [row for page in pages(desk, path, 4) for row in page]
    assert sorted(row["path"] for row in found) == ["0.py", "1.py", "2.py", "3.py", "4.py", "b.py"]
    (failed,) = desk.body(path, outcome="failed")["items"]
    assert (failed["path"], failed["state"], failed["error"]) == ("b.py", "failed", "InputRejected")
    assert failed["message"]
    assert failed["finished_at"]
    assert [len(page) for page in pages(desk, path, 2, outcome="indexed")] == [2, 2, 1]


def test_reconciliations_are_those_of_the_tenants_projects_and_of_the_whole_index(desk: ApiDesk) -> None:
    theirs = desk.bench.sources.resolve("another", "project", "source", "/theirs").scope.project_id
    for number, owner in enumerate((desk.bench.source.scope.project_id, theirs, None)):
        desk.bench.rows(
            "INSERT INTO reconciliations (id, project_id, is_repair, compared, drifted, repaired, message)"
            " VALUES (:id, :project, true, 10, :n, 1, 'two were mended')",
            id=uuid4(),
            project=owner,
            n=number,
        )
    found = [row for page in pages(desk, "/api/v1/reconciliations", 1) for row in page]
    assert [(row["drifted"], row["project"]) for row in found] == [(2, None), (0, "project")]
    assert [row["drifted"] for row in desk.body("/api/v1/reconciliations", project="project")["items"]] == [0]


@pytest.mark.parametrize(
    "after", ["", "x", "bm9uZQ", "WzFd", "WyJhIl0", "W10", "Wyd7", "eyJhIjogMX0", "W1tbW1tb", "ünicode", "WyJ4Il0==="]
)
def test_a_token_that_is_none_of_ours_is_refused(desk: ApiDesk, after: str) -> None:
    run = desk.bench.ingest({"a.py": "x = 1\n"})
    for path in ("/api/v1/runs", "/api/v1/reconciliations", f"/api/v1/runs/{run.id}/documents"):
        assert problem(desk.get(path, after=after)) == (422, "InvalidRequest")


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"state": "finished"},
        {"project": ""},
        {"project": "a\0b"},
        {"project": "x" * 201},
    ],
)
def test_values_out_of_bounds_are_refused_and_named(desk: ApiDesk, params: dict[str, Any]) -> None:
    reply = desk.get("/api/v1/runs", **params)
    assert problem(reply) == (422, "InvalidRequest")
    assert f"query.{next(iter(params))}: " in reply.json()["error"]["message"]
