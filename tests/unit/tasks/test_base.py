"""What a stage raises decides what happens to its slice, and a claim is kept alive exactly as long as it may be."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import pytest
import structlog
from celery.exceptions import Reject

from pipeline.errors import (
    BadCredentials,
    ClaimLost,
    IngestError,
    RateLimited,
    ServiceUnavailable,
    TransientError,
)
from pipeline.testing import FakeLeases, HandedBack
from pipeline.types import Claim, Stage, Token
from tasks.base import MAX_DELAY, MISCONFIGURED_DELAY, IngestApp, OutOfMemory, StageContext, StageTask
from tasks.witness import NO_WITNESS, NoWitness, Witness

TOKEN = Token(UUID(int=1), Stage.EMBED, 3)
MESSAGE = (str(TOKEN.slice_id), "embed", 3)

Body = Callable[[StageContext, Claim], dict[str, int]]


def run(context: StageContext, body: Body, witness: Witness = NO_WITNESS) -> dict[str, int]:
    """Deliver the message to a task whose stage is ``body``."""
    app = IngestApp("test", build_context=lambda: context, witness=witness, set_as_current=False)
    task = app.task(body, name="test.stage", base=StageTask, shared=False)
    result: dict[str, int] = task(*MESSAGE)
    return result


def nothing(context: StageContext, claim: Claim) -> dict[str, int]:
    return {}


def raising(error: BaseException) -> Body:
    def body(context: StageContext, claim: Claim) -> dict[str, int]:
        raise error

    return body


def wait_until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def beats() -> bool:
    return any(thread.name == "heartbeat" for thread in threading.enumerate())


# --- the message


def test_a_current_message_runs_its_stage_under_a_claim(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)
    seen: list[Claim] = []

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        seen.append(claim)
        assert given.ledger is leases
        assert not given.is_halted()
        assert structlog.contextvars.get_contextvars() == {
            "slice_id": str(TOKEN.slice_id),
            "stage": "embed",
            "task_id": TOKEN.task_id,
            "run_id": str(claim.run_id),
        }
        return {"inputs": 7}

    assert run(context, body) == {"inputs": 7}
    assert [(claim.token, claim.attempts) for claim in seen] == [(TOKEN, 1)]
    assert leases.handed_back == []
    assert structlog.contextvars.get_contextvars() == {}
    assert not beats()


def test_a_stale_message_runs_nothing_and_ends_its_chain(context: StageContext, leases: FakeLeases) -> None:
    with pytest.raises(Reject) as caught:
        run(context, raising(AssertionError("the stage ran")))
    assert caught.value.requeue is False
    assert leases.handed_back == []


def test_a_message_that_comes_twice_runs_once(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)
    assert run(context, nothing) == {}
    with pytest.raises(Reject):
        run(context, nothing)


def test_a_ledger_that_is_away_at_the_claim_fails_the_task_and_leaves_the_slice_to_the_sweep(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.fault = ServiceUnavailable("Postgres")
    with pytest.raises(ServiceUnavailable):
        run(context, nothing)


# --- what is raised


@pytest.mark.parametrize("error", [TransientError(), ServiceUnavailable("Qdrant"), TransientError("slow")])
def test_a_passing_fault_hands_the_slice_back_without_an_attempt(
    context: StageContext, leases: FakeLeases, error: IngestError
) -> None:
    leases.offer(TOKEN)
    with pytest.raises(Reject) as caught:
        run(context, raising(error))
    assert caught.value.requeue is False
    assert leases.handed_back == [HandedBack(error.code, str(error), 5.0, forgive=True)]


def test_a_rate_limit_sets_the_delay_itself(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)
    with pytest.raises(Reject):
        run(context, raising(RateLimited(123.0, "slow down")))
    assert leases.handed_back == [HandedBack("RateLimited", "slow down", 123.0, forgive=True)]


def test_a_wrong_configuration_fails_where_operators_look_and_burns_no_attempt(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.offer(TOKEN)
    with pytest.raises(BadCredentials):
        run(context, raising(BadCredentials("the key is wrong")))
    assert leases.handed_back == [HandedBack("BadCredentials", "the key is wrong", MISCONFIGURED_DELAY, forgive=True)]


@pytest.mark.parametrize(
    ("attempts", "delay"), [(0, 5.0), (1, 10.0), (2, 20.0), (3, 40.0), (4, MAX_DELAY), (40, MAX_DELAY)]
)
def test_a_crash_is_an_attempt_and_every_one_waits_longer(
    context: StageContext, leases: FakeLeases, attempts: int, delay: float
) -> None:
    leases.offer(TOKEN, attempts)
    with pytest.raises(ZeroDivisionError):
        run(context, raising(ZeroDivisionError("a bug")))
    assert leases.handed_back == [HandedBack("ZeroDivisionError", "a bug", delay, forgive=False)]


def test_a_crash_is_handed_back_with_its_traceback_and_a_passing_fault_without(
    context: StageContext, leases: FakeLeases
) -> None:
    for error in (ZeroDivisionError("a bug"), ServiceUnavailable("Qdrant")):
        leases.offer(TOKEN)
        with pytest.raises((ZeroDivisionError, Reject)):
            run(context, raising(error))
    crashed, waiting = (handed.trace for handed in leases.handed_back)
    assert crashed.startswith("Traceback")
    assert "in body" in crashed
    assert crashed.rstrip().endswith("ZeroDivisionError: a bug")
    assert waiting == ""


def test_a_lack_of_memory_is_recorded_and_raised_as_what_celery_acknowledges(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.offer(TOKEN)
    with pytest.raises(OutOfMemory):
        run(context, raising(MemoryError()))
    (handed,) = leases.handed_back
    assert (handed.error, handed.forgive) == ("OutOfMemory", False)
    assert "MOBIUS_PROCESS_MEMORY_BYTES" in handed.message
    assert "MemoryError" in handed.trace


def test_a_stage_is_witnessed_from_its_beginning_to_its_end(context: StageContext, leases: FakeLeases) -> None:
    class Diary(NoWitness):
        def __init__(self) -> None:
            self.lines: list[object] = []

        def begin_stage(self, seconds: float) -> None:
            self.lines.append(seconds)

        def end_stage(self) -> None:
            self.lines.append("end")

    diary = Diary()
    for body in (nothing, raising(ZeroDivisionError())):
        leases.offer(TOKEN)
        with suppress(ZeroDivisionError):
            run(context, body, witness=diary)
    assert diary.lines == [54.0, "end"] * 2


def test_a_stage_that_stops_for_a_pause_hands_back_at_once_and_without_an_attempt(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.offer(TOKEN)

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        given.stop_if_halted()
        leases.is_paused = True
        wait_until(given.is_halted)
        given.stop_if_halted()
        raise AssertionError("it went on")

    with pytest.raises(Reject):
        run(context, body)
    assert [(handed.error, handed.delay_seconds, handed.forgive) for handed in leases.handed_back] == [("", 0.0, True)]


def test_a_stage_is_told_that_its_claim_was_taken_over(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        leases.take_over(claim)
        wait_until(given.is_halted)
        given.stop_if_halted()
        raise AssertionError("it went on")

    with pytest.raises(Reject):
        run(context, body)
    assert leases.handed_back == []


def test_a_passing_context_is_closed_after_the_block_and_never_kept(context: StageContext, leases: FakeLeases) -> None:
    app = IngestApp("test", build_context=lambda: context, set_as_current=False)
    with suppress(ZeroDivisionError), app.passing_context() as given:
        assert given.ledger is leases
        raise ZeroDivisionError
    assert leases.closed == 1
    assert app._contexts == {}


def test_whoever_lost_its_claim_hands_nothing_back(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)
    with pytest.raises(Reject) as caught:
        run(context, raising(ClaimLost()))
    assert caught.value.requeue is False
    assert leases.handed_back == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ZeroDivisionError(), ZeroDivisionError), (BadCredentials(), BadCredentials), (TransientError(), Reject)],
)
def test_a_ledger_that_is_away_at_the_hand_back_does_not_hide_the_error(
    context: StageContext, leases: FakeLeases, error: Exception, raised: type[Exception]
) -> None:
    leases.offer(TOKEN)

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        leases.fault = ServiceUnavailable("Postgres")
        raise error

    with pytest.raises(raised):
        run(context, body)
    assert leases.handed_back == []


def test_what_ends_the_process_is_not_recorded_as_a_crash(context: StageContext, leases: FakeLeases) -> None:
    """The slice's lease expires, as when the process is killed."""
    leases.offer(TOKEN)
    with pytest.raises(SystemExit):
        run(context, raising(SystemExit(1)))
    assert leases.handed_back == []
    assert not beats()


# --- the heartbeat


def test_a_claim_is_extended_while_the_stage_works_and_no_longer(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        wait_until(lambda: leases.extended >= 3)
        return {}

    run(context, body)
    extended = leases.extended
    assert not beats()
    assert leases.extended == extended


def test_a_stage_that_hangs_past_its_deadline_loses_its_claim(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)
    hanging = replace(context, policy=replace(context.policy, deadlines=dict.fromkeys(Stage, 0.0)))

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        wait_until(lambda: not beats())
        return {}

    run(hanging, body)
    assert leases.extended == 0


def test_the_heartbeat_stops_when_the_claim_is_taken_over(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        wait_until(lambda: leases.extended >= 1)
        leases.take_over(claim)
        wait_until(lambda: not beats())
        return {}

    run(context, body)


def test_a_cancelled_stage_keeps_what_it_has_in_flight_from_others_until_it_ends(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.offer(TOKEN)
    leases.is_cancelled = True

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        leases.take_over(claim)
        wait_until(lambda: leases.kept >= 3)
        assert given.is_halted()
        return {}

    run(context, body)
    assert not beats()


def test_the_heartbeat_survives_a_ledger_that_is_away_for_a_while(context: StageContext, leases: FakeLeases) -> None:
    leases.offer(TOKEN)

    def body(given: StageContext, claim: Claim) -> dict[str, int]:
        wait_until(lambda: leases.extended >= 1)
        leases.fault = ServiceUnavailable("Postgres")
        time.sleep(0.02)
        leases.fault = None
        extended = leases.extended
        wait_until(lambda: leases.extended > extended)
        return {}

    run(context, body)


# --- one context per process


def test_a_context_is_made_once_per_process_and_never_before_it_is_used(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def build() -> StageContext:
        made.append(os.getpid())
        return replace(context)

    app = IngestApp("test", build_context=build, set_as_current=False)
    assert made == []
    first = app.stage_context
    assert app.stage_context is first
    assert len(made) == 1
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert app.stage_context is not first, "a forked child makes its own"
    assert made == [made[0], -1]
