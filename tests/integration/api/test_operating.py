"""Over HTTP operators do what they do with the command line: end and pause runs, try dead letters again."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness.api import ApiDesk, bearer, problem
from harness.revisions import functions
from harness.stage_context import CRASHED

from models.control import PostgresControl
from models.dead_letters import DeadLetters
from pipeline.types import Stage

LETTERS = "/api/v1/dead-letters"


def post(desk: ApiDesk, path: str) -> httpx.Response:
    return desk.client.post(path, headers=bearer(desk.key))


def delete(desk: ApiDesk, path: str) -> httpx.Response:
    return desk.client.delete(path, headers=bearer(desk.key))


def bury(desk: ApiDesk, *paths: str) -> list[str]:
    """Give up on files, one after the other; return the ids of their dead letters."""
    for path in paths:
        desk.bench.ingest({path: functions("poison")})
        claim = desk.bench.claim_at(Stage.CHUNK)
        desk.bench.wear_out(claim.token.slice_id)
        desk.bench.crash(claim)
        assert desk.bench.ledger.sweep(60.0).given_up == 1
    rows = desk.bench.rows("SELECT id FROM dead_letters ORDER BY created_at")
    return [str(row["id"]) for row in rows]


# --- dead letters


def test_a_dead_letter_is_shown_with_everything_that_the_command_shows(desk: ApiDesk) -> None:
    (letter,) = bury(desk, "poison.py")
    shown = desk.body(f"{LETTERS}/{letter}")
    assert desk.body(LETTERS)["items"] == [shown]
    (line,) = DeadLetters(desk.bench.engine, "tenant").latest(limit=9)
    assert shown.keys() == set(line.__dataclass_fields__)
    assert (shown["status"], shown["stage"], shown["path"], shown["attempts"]) == ("open", "chunk", "poison.py", 3)
    assert (shown["error"], shown["message"], shown["trace"]) == (CRASHED.error, CRASHED.message, CRASHED.trace)
    assert (shown["worker"], shown["resolved_at"]) == ("host:1", None)
    assert shown["accepted_at"] <= shown["given_up_at"]


def test_dead_letters_come_latest_first_page_by_page(desk: ApiDesk) -> None:
    letters = bury(desk, *(f"{number}.py" for number in range(5)))
    desk.bench.rows("UPDATE dead_letters SET created_at = '2026-01-01T00:00:00Z' WHERE id <> :id", id=letters[0])
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for size in (2, 2, 1):
        body = desk.body(LETTERS, limit=2, **after)
        assert len(body["items"]) == size
        found += body["items"]
        after = {"after": body["next"]}
    assert after == {"after": None}
    assert found[0]["dead_letter_id"] == letters[0]
    assert sorted(row["dead_letter_id"] for row in found) == sorted(letters)


def test_dead_letters_are_filtered_by_project_and_by_what_is_open(desk: ApiDesk) -> None:
    dropped, still_open = bury(desk, "a.py", "b.py")
    assert delete(desk, f"{LETTERS}/{dropped}").json() == {"dropped": 1}
    assert [row["dead_letter_id"] for row in desk.body(LETTERS, project="project")["items"]] == [still_open]
    every = desk.body(LETTERS, all=True)["items"]
    assert [(row["dead_letter_id"], row["status"]) for row in every] == [(still_open, "open"), (dropped, "dropped")]
    assert desk.body(LETTERS, project="other", all=True)["items"] == []


def test_a_retried_document_goes_through_all_stages_again(desk: ApiDesk) -> None:
    (letter,) = bury(desk, "poison.py")
    reply = post(desk, f"{LETTERS}/{letter}/retry")
    assert (reply.status_code, reply.json()["documents"]) == (202, 1)
    desk.bench.finish()
    run = desk.get(reply.headers["Location"]).json()
    assert (run["run_id"], run["state"], run["documents"]["indexed"]) == (reply.json()["run_id"], "succeeded", 1)
    assert desk.body(f"{LETTERS}/{letter}")["status"] == "retried"


def test_what_is_taken_care_of_is_not_tried_again_and_the_reason_is_given(desk: ApiDesk) -> None:
    dropped, overtaken = bury(desk, "a.py", "b.py")
    delete(desk, f"{LETTERS}/{dropped}")
    desk.bench.ingest({"b.py": functions("mended")})
    for letter, status in ((dropped, "dropped"), (overtaken, "overtaken")):
        reply = post(desk, f"{LETTERS}/{letter}/retry")
        assert problem(reply) == (409, "Closed")
        assert f"{letter} is {status}" in reply.text


def test_dropping_twice_changes_nothing(desk: ApiDesk) -> None:
    (letter,) = bury(desk, "poison.py")
    assert [delete(desk, f"{LETTERS}/{letter}").json()["dropped"] for _ in range(2)] == [1, 0]
    assert desk.bench.only_document().state == "failed"


@pytest.mark.parametrize("letter", ["none", "1"])
def test_what_is_no_id_is_refused(desk: ApiDesk, letter: str) -> None:
    assert problem(desk.get(f"{LETTERS}/{letter}")) == (422, "InvalidRequest")


# --- runs


def test_a_paused_run_waits_until_it_is_resumed(desk: ApiDesk) -> None:
    run = f"/api/v1/runs/{desk.bench.ingest({'a.py': functions('one')}).id}"
    for _ in range(2):
        assert post(desk, f"{run}/pause").json()["state"] == "paused"
    assert desk.bench.ledger.take_ready(9, oldest_first=True) == []
    assert post(desk, f"{run}/resume").json()["state"] == "running"
    desk.bench.finish()
    assert desk.body(run)["state"] == "succeeded"


def test_a_cancelled_run_ends_and_stays_so(desk: ApiDesk) -> None:
    run = f"/api/v1/runs/{desk.bench.ingest({'a.py': functions('one')}, {'b.py': functions('two')}).id}"
    for _ in range(2):
        reply = post(desk, f"{run}/cancel")
        assert (reply.status_code, reply.json()["state"], reply.json()["documents"]["cancelled"]) == (
            200,
            "cancelled",
            2,
        )
    assert desk.bench.ledger.take_ready(9, oldest_first=True) == []
    assert problem(post(desk, f"{run}/resume")) == (409, "RunEnded")


@pytest.mark.parametrize("order", ["cancel", "pause", "resume"])
def test_a_run_that_has_ended_takes_no_orders(desk: ApiDesk, order: str) -> None:
    run = desk.bench.ingest({"a.py": functions("one")})
    desk.bench.finish()
    assert problem(post(desk, f"/api/v1/runs/{run.id}/{order}")) == (409, "RunEnded")


@pytest.mark.parametrize("order", ["cancel", "pause", "resume"])
def test_a_run_that_is_not_there_takes_none_either(desk: ApiDesk, order: str) -> None:
    assert problem(post(desk, f"/api/v1/runs/{uuid4()}/{order}")) == (404, "NotFound")


def test_a_tenant_cannot_let_a_fleet_go_on_that_an_operator_has_paused(desk: ApiDesk) -> None:
    run = desk.bench.ingest({"a.py": functions("one")})
    PostgresControl(desk.bench.engine).pause_fleet()
    assert post(desk, f"/api/v1/runs/{run.id}/resume").json()["state"] == "paused"
