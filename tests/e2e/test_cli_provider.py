"""What the provider refuses is told: the command stops where an operator must act, else the one document fails."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from harness.desk import Desk, files_of
from harness.trees import function

from pipeline.testing.openai_stub import Fault


def wake(desk: Desk) -> None:
    """Let a slice that waits for an operator be tried again now."""
    desk.inspection.rows("UPDATE slices SET not_before = now() WHERE state = 'ready' RETURNING id")


def test_a_key_that_the_provider_refuses_stops_the_command_and_loses_nothing(desk: Desk) -> None:
    desk.provider.faults.append(Fault(status=401, text=desk.project))
    message = desk.refused("ingest", desk.tree)
    assert "refuses the key; set the right OPENAI_API_KEY and restart the workers" in message
    assert "Nothing is lost: run" in message
    run_id = message.partition("Nothing is lost: run ")[2].split()[0]
    shown = desk.run("why", "first.py").stdout
    assert "stage        embed (ready" in shown
    assert "error        BadCredentials" in shown
    assert "next action  it is tried again after" in shown
    wake(desk)
    assert "run" in desk.run("runs", run_id, "--watch").stdout
    desk.assert_holds(files_of(desk.tree))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(dims=16), "dimensions"),
        (Fault(status=404), "check the model's name"),
        (Fault(status=429, body=b'{"error": {"code": "insufficient_quota", "message": "m"}}'), "quota is used up"),
    ],
    ids=["other dimensions", "no such model", "no quota left"],
)
def test_what_only_an_operator_can_mend_at_the_provider_stops_the_command(fault: Fault, words: str, desk: Desk) -> None:
    desk.provider.faults.append(replace(fault, text=desk.project))
    message = desk.refused("ingest", desk.tree)
    assert words in message
    assert "Nothing is lost" in message


def test_a_wrong_key_stops_a_search(desk: Desk) -> None:
    desk.ingest()
    never_asked = f"what {desk.project} has never been asked"
    assert "refuses the key" in desk.refused("search", never_asked, extra={"OPENAI_API_KEY": "wrong"})


def test_a_search_pays_for_a_query_once_and_by_words_for_none(desk: Desk) -> None:
    desk.ingest()
    query = f"which step does {desk.project} take"

    def paid() -> int:
        return sum(query in text for call in desk.provider.calls for text in call.inputs)

    assert json.loads(desk.run("search", query, "--mode", "sparse", "--json").stdout)
    assert paid() == 0
    for _ in range(2):
        assert json.loads(desk.run("search", query, "--json").stdout)
        assert paid() == 1


def test_a_search_without_redis_finds_and_says_so_apart_from_the_results(desk: Desk) -> None:
    desk.ingest()
    done = desk.run("search", f"step of {desk.project}", "--json", extra={"REDIS_URL": "redis://127.0.0.1:9"})
    assert json.loads(done.stdout)
    assert "query_cache_unavailable" in done.stderr


def test_workers_with_another_model_are_pointed_out(desk: Desk) -> None:
    message = desk.refused("ingest", desk.tree, "--json", extra={"MOBIUS_EMBEDDER": "lexical"})
    assert "was indexed by other settings than this command has" in message
    assert f"openai/{desk.env['MOBIUS_OPENAI_MODEL']}/32" in message
    assert "local/lexical-v2/384" in message


def test_a_passing_fault_of_the_provider_is_told_and_waited_out(desk: Desk) -> None:
    (desk.tree / "late.py").write_text(function(f"{desk.project}_late"))
    desk.provider.faults.append(Fault(status=429, headers={"retry-after": "1"}, text=f"{desk.project}_late"))
    done = desk.run("ingest", desk.tree)
    assert "RateLimited" in done.stderr
    assert "It is tried again." in done.stderr
    desk.assert_holds(files_of(desk.tree))


def test_a_text_that_the_provider_refuses_fails_its_document_only(desk: Desk) -> None:
    poison = function(f"{desk.project}_poison")
    (desk.tree / "poison.py").write_text(poison)
    marker = f"{desk.project}_poison"
    desk.provider.faults.extend([Fault(status=400, text=marker)] * 20)
    try:
        report = desk.ingest(code=3)
    finally:
        desk.provider.faults.clear()
    assert [(error["path"], error["error"]) for error in report["errors"]] == [("poison.py", "InputRejected")]
    assert report["documents"]["indexed"] == 3
    assert desk.texts().keys() == {"first.py", "second.py", "README.md"}
    report = desk.ingest()
    assert report["documents"]["indexed"] == 1
    desk.assert_holds(files_of(desk.tree))
