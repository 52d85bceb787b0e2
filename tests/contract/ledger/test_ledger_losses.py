"""Only what a document did to its worker counts against it; what was done to the worker never does."""

from __future__ import annotations

from dataclasses import replace
from signal import SIGKILL
from uuid import uuid4

import pytest
from harness.stage_context import CRASHED
from harness.steps import Steps

from pipeline.crashes import exited_with, killed_by, ran_out_of_time
from pipeline.errors import TRACE_LENGTH, storable_trace
from pipeline.states import SliceState
from pipeline.types import Stage
from pipeline.work import Swept

KILLED = killed_by(SIGKILL)


def lose(bench: Steps, times: int, *, seen: bool) -> None:
    """Let the worker of the only slice be killed from outside; ``seen``: only its child, and the parent tells."""
    for _ in range(times):
        bench.pass_time(301.0)
        claim = bench.claim()
        if seen:
            bench.crash(claim, KILLED)
        else:
            bench.expire(claim)
        bench.ledger.sweep(60.0)


def test_a_crash_that_its_parent_saw_is_an_attempt_and_ready_without_waiting_for_the_lease(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    assert bench.ledger.report_crash(claim.token, "host:1", CRASHED, 7.0)
    row = bench.only_slice()
    assert (row.state, row.attempts, row.losses, row.owner, row.lease_until) == (SliceState.READY, 1, 0, None, None)
    assert (row.error, row.message, row.trace) == (CRASHED.error, CRASHED.message, CRASHED.trace)
    assert row.not_before is not None
    assert bench.ledger.take_ready(8, oldest_first=True) == []
    bench.pass_time(8.0)
    assert bench.claim().attempts == 2


@pytest.mark.parametrize("seen", [True, False], ids=["child killed", "whole worker gone"])
def test_an_innocent_whose_workers_are_killed_time_and_again_is_indexed_in_the_end(bench: Steps, seen: bool) -> None:
    bench.ingest({"innocent.txt": "text"})
    lose(bench, 30, seen=seen)
    row = bench.only_slice()
    assert (row.state, row.attempts, row.losses) == (SliceState.READY, 0, 30)
    bench.pass_time(301.0)
    bench.finish()
    assert bench.states() == {"innocent.txt": ("indexed", "indexed")}
    assert bench.dead_letters() == []


@pytest.mark.parametrize("seen", [True, False], ids=["child killed", "whole worker gone"])
def test_what_is_lost_too_often_is_split_so_that_neighbours_go_on(bench: Steps, seen: bool) -> None:
    bench.ingest({"a.txt": "a", "b.txt": "b", "heavy.txt": "c"})
    lose(bench, 3, seen=seen)
    tokens = bench.ledger.take_ready(100, oldest_first=True)
    assert sorted(bench.paths_of(token) for token in tokens) == [["a.txt"], ["b.txt"], ["heavy.txt"]]
    for token in tokens:
        claim = bench.claim(token)
        if bench.paths_of(token) == ["heavy.txt"]:
            bench.crash(claim, KILLED)
        else:
            bench.work(claim)
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)
    assert bench.dead_letters() == []


def test_a_document_that_is_lost_alone_is_tried_ever_more_rarely(bench: Steps) -> None:
    bench.ingest({"heavy.txt": "text"})
    delays: list[float] = []
    for _ in range(12):
        bench.pass_time(301.0)
        bench.expire(bench.claim())
        bench.ledger.sweep(60.0)
        until = bench.only_slice().not_before
        delays.append(0.0 if until is None else until - bench.now())
    assert [round(delay / 5) * 5 for delay in delays] == [0, 0, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300]


def test_an_advance_forgets_the_losses_of_the_stage_before(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    lose(bench, 2, seen=False)
    bench.work(bench.claim())
    assert (bench.only_slice().stage, bench.only_slice().losses) == (Stage.CHUNK, 0)


def test_a_report_of_another_process_or_another_message_changes_nothing(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    before = bench.snapshot()
    for token, worker in [
        (claim.token, "host:2"),
        (replace(claim.token, seq=claim.token.seq - 1), "host:1"),
        (replace(claim.token, stage=Stage.CHUNK), "host:1"),
        (replace(claim.token, slice_id=uuid4()), "host:1"),
    ]:
        assert not bench.ledger.report_crash(token, worker, CRASHED, 0.0)
    assert bench.snapshot() == before


def test_a_hang_that_kept_its_process_from_reporting_counts_when_its_end_is_known(bench: Steps) -> None:
    """It ran in C code, so its heartbeat stood still and the lease ended before the time limit did."""
    bench.ingest({"hang.txt": "text"})
    hung = {}
    for worker in ("host:1", "host:2", "host:3"):
        claim = bench.ledger.claim(bench.take(), worker, 60.0)
        assert claim is not None
        hung[worker] = claim.token
        bench.expire(claim)
        bench.ledger.sweep(60.0)
    hang = ran_out_of_time(300.0, "in C code")
    for worker, token in hung.items():
        assert not bench.ledger.report_crash(token, worker, hang, 0.0)
        assert not bench.ledger.report_crash(token, worker, hang, 0.0), "it counts once"
        assert not bench.ledger.report_crash(token, "host:9", hang, 0.0), "this one never held it"
    assert bench.only_slice().attempts == 3
    assert bench.ledger.sweep(60.0).given_up == 1
    (letter,) = bench.dead_letters()
    assert (letter.error, letter.trace, letter.attempts) == ("TimeLimitExceeded", "in C code", 3)


def test_the_late_end_of_a_process_says_nothing_about_a_stage_that_was_passed_since(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    old = bench.claim()
    bench.expire(old)
    bench.ledger.sweep(60.0)
    bench.work(bench.claim())
    before = bench.snapshot()
    assert not bench.ledger.report_crash(old.token, "host:1", CRASHED, 0.0)
    assert bench.snapshot() == before


def test_who_handed_back_before_it_ended_is_not_counted_twice(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.ledger.hand_back(claim, "ZeroDivisionError", "a bug", 0.0, forgive=False, trace="line 1")
    assert bench.only_slice().trace == "line 1"
    assert not bench.ledger.report_crash(claim.token, "host:1", exited_with(1), 0.0)
    assert bench.only_slice().attempts == 1


def test_of_a_long_trace_the_end_is_kept(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    trace = "long\0 " * 10_000 + "the error"
    bench.crash(bench.claim(), replace(CRASHED, trace=trace))
    assert bench.only_slice().trace == storable_trace(trace)
    assert len(storable_trace(trace)) == TRACE_LENGTH
    assert storable_trace(trace).endswith("the error")


def test_a_ledger_that_was_closed_opens_again(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.ledger.close()
    bench.ledger.close()
    assert bench.claim().attempts == 1
