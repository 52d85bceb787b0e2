"""Work that nobody does is seen: a queue without workers, slices that nobody sends, a stack that is half there."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.diagnosis import Backlog
from worker.doctor.findings import Silence, Status
from worker.doctor.fleet import WorkersSeen, judge_beat, judge_dispatcher, judge_stack, judge_workers
from worker.local import ChildState, ChildStatus, Phase, StackStatus

QUEUES = ("parse", "chunk", "embed", "upsert", "control")


def stack(phase: Phase = Phase.RUNNING, **children: ChildState) -> StackStatus:
    return StackStatus(
        Path("/home"),
        phase,
        tuple(ChildStatus(name, state, 7, "", 0, "", f"/home/{name}.log") for name, state in children.items()),
    )


# --- workers


def test_every_queue_has_a_worker() -> None:
    seen = WorkersSeen({"a": frozenset(QUEUES[:2]), "b": frozenset(QUEUES[2:])}, 5)
    assert judge_workers(seen, QUEUES).status is Status.OK


def test_a_queue_without_a_worker_is_named() -> None:
    finding = judge_workers(WorkersSeen({"a": frozenset(QUEUES[:-2])}, 2), QUEUES)
    assert finding.status is Status.PROBLEM
    assert "consumes control, upsert" in finding.found
    assert "-Q control,upsert" in finding.advice


def test_no_worker_at_all_is_a_problem() -> None:
    assert judge_workers(WorkersSeen({}, 0), QUEUES).status is Status.PROBLEM


def test_without_redis_workers_cannot_be_asked() -> None:
    assert judge_workers(Silence("see redis", ""), QUEUES).status is Status.SKIPPED


# --- dispatcher


@pytest.mark.parametrize(
    ("backlog", "dispatchers", "status", "words"),
    [
        (Backlog(0, 0.0, 0, 0), 1, Status.OK, "1 listening"),
        (Backlog(500, 900.0, 8, 0), 1, Status.OK, "500 waiting"),
        (Backlog(500, 900.0, 8, 0), 0, Status.WARNING, "beat does its work"),
        (Backlog(0, 0.0, 0, 0), 0, Status.WARNING, "start it"),
        (Backlog(3, 61.0, 7, 0), 1, Status.PROBLEM, "ready for up to 61 s, and only 7 of 8"),
        (Backlog(3, 61.0, 0, 0), 0, Status.PROBLEM, "start it"),
        (Backlog(0, 0.0, 8, 2), 1, Status.PROBLEM, "nobody brought back 2 slices"),
        (None, 1, Status.SKIPPED, "see postgres.schema"),
    ],
)
def test_slices_that_nobody_sends_are_the_evidence(
    backlog: Backlog | None, dispatchers: int, status: Status, words: str
) -> None:
    finding = judge_dispatcher(backlog, dispatchers, window=8)
    assert finding.status is status
    assert words in f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("in_flight", "running", "queued", "status"),
    [
        (0, 0, 8, Status.OK),
        (1, 1, 7, Status.OK),
        (3, 1, 7, Status.OK),
        (0, 0, 7, Status.PROBLEM),
        (3, 1, 3, Status.PROBLEM),
        (0, 0, None, Status.PROBLEM),
    ],
)
def test_a_window_full_of_messages_that_nobody_takes_is_no_fault_of_the_dispatcher(
    in_flight: int, running: int, queued: int | None, status: Status
) -> None:
    finding = judge_dispatcher(Backlog(3, 61.0, in_flight, 0, running), 1, window=8, queued=queued)
    assert finding.status is status
    assert ("see workers" in finding.found) is (status is Status.OK)


# --- the local stack and beat


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (stack(postgres=ChildState.READY, redis=ChildState.EXTERNAL), Status.OK, "all 2"),
        (stack(postgres=ChildState.READY, beat=ChildState.FAILED), Status.PROBLEM, "beat is failed"),
        (stack(Phase.STARTING), Status.PROBLEM, "nothing runs yet"),
        (stack(Phase.STOPPED), Status.SKIPPED, "no local stack"),
        (stack(Phase.FAILED, postgres=ChildState.FAILED), Status.SKIPPED, "no local stack"),
        (Silence("it is another user's", "run this as that user"), Status.PROBLEM, "run this as that user"),
    ],
)
def test_the_stack_is_whole_or_not_there(status: StackStatus | Silence, expected: Status, words: str) -> None:
    finding = judge_stack(status)
    assert finding.status is expected
    assert words in f"{finding.found} {finding.advice}"


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [
        (stack(beat=ChildState.READY), Status.OK, "pid 7"),
        (stack(beat=ChildState.FAILED), Status.PROBLEM, "/home/beat.log"),
        (stack(postgres=ChildState.READY), Status.SKIPPED, "exactly one process"),
        (stack(Phase.STOPPED, beat=ChildState.STOPPED), Status.SKIPPED, "exactly one process"),
        (Silence("no", "x"), Status.SKIPPED, "exactly one process"),
    ],
)
def test_beat_is_judged_only_where_it_can_be_seen(status: StackStatus | Silence, expected: Status, words: str) -> None:
    finding = judge_beat(status)
    assert finding.status is expected
    assert words in f"{finding.found} {finding.advice}"
