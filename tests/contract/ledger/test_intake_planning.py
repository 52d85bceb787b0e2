"""One producer at a time plans a source, and a plan that was taken over accepts nothing more."""

from __future__ import annotations

import threading

import pytest
from harness.steps import SUMMARY, Steps

from pipeline.intake import AcceptedDeletion, PlanSummary, PlanTakenOver, SourceBusy
from pipeline.states import PlanState
from pipeline.types import Priority


def test_a_second_producer_waits_for_the_first(bench: Steps) -> None:
    waiting, done = threading.Event(), threading.Event()

    def second() -> None:
        with bench.intake.planning(bench.source, Priority.NORMAL, patience=60.0, on_wait=waiting.set) as run:
            bench.intake.close(run, SUMMARY)
            done.set()

    with bench.plan():
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        assert len(bench.runs()) == 1, "its run does not exist before it may plan"
        assert not done.is_set()
    thread.join()
    assert done.is_set()
    assert [row.plan_state for row in bench.runs()] == [PlanState.PLANNED] * 2


def test_a_producer_without_patience_is_told_who_is_in_the_way(bench: Steps) -> None:
    waited: list[bool] = []
    second = bench.intake.planning(bench.source, Priority.NORMAL, patience=0.0, on_wait=lambda: waited.append(True))
    with bench.plan(), pytest.raises(SourceBusy, match="mobius runs"), second:
        pytest.fail("two producers plan one source")
    assert len(bench.runs()) == 1
    assert len(waited) <= 1


def test_producers_of_different_sources_do_not_wait(bench: Steps) -> None:
    other = bench.another_source("other")
    with bench.plan(), bench.plan(other):
        assert [row.plan_state for row in bench.runs()] == [PlanState.PLANNING] * 2


def test_a_producer_that_fails_lets_the_next_one_plan_and_its_run_is_interrupted(bench: Steps) -> None:
    with pytest.raises(KeyError), bench.plan():
        raise KeyError("the walk failed")
    run = bench.ingest({"a.txt": "text"})
    states = {row.id: row.plan_state for row in bench.runs()}
    assert states.pop(run.id) is PlanState.PLANNED
    assert list(states.values()) == [PlanState.INTERRUPTED]


# --- the end of a plan


def test_the_summary_of_a_plan_is_kept(bench: Steps) -> None:
    summary = PlanSummary(7, 3, {"secret": 2}, 4, "ask", is_complete=False)
    with bench.plan(priority=Priority.LOW, summary=summary):
        pass
    (row,) = bench.runs()
    assert (row.plan_state, row.priority, row.summary) == (PlanState.PLANNED, Priority.LOW, summary)


def test_a_plan_that_was_taken_over_accepts_nothing_and_is_not_closed(bench: Steps) -> None:
    bench.ingest({"a.txt": "newer"})
    older = bench.accepted(bench.source, "a.txt", "older")
    deletion = AcceptedDeletion(bench.document("a.txt"), 1)
    with bench.intake.planning(bench.source, Priority.LOW, patience=0.0, on_wait=lambda: None) as run:
        bench.change("runs", run.id, plan_state=PlanState.INTERRUPTED)
        before = bench.snapshot()
        for act in (
            lambda: bench.intake.accept(run, [older]),
            lambda: bench.intake.join(run, [older]),
            lambda: bench.intake.accept_deletions(run, [deletion]),
            lambda: bench.intake.close(run, SUMMARY),
        ):
            with pytest.raises(PlanTakenOver):
                act()
        assert bench.snapshot() == before


def test_a_plan_is_closed_once(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    with pytest.raises(PlanTakenOver):
        bench.intake.close(run, SUMMARY)
