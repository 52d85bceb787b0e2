"""Each round sweeps when it is time and sends what the window gives; some rounds go to the oldest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
from celery import Celery
from kombu.transport.memory import Channel

from pipeline.errors import ServiceUnavailable
from pipeline.types import Stage, Token
from pipeline.work import Swept
from tasks.base import StagePolicy
from worker import dispatcher as dispatchers
from worker.dispatcher import AGEING, POLL, Dispatcher
from worker.observability.liveness import LifeSign

POLICY = StagePolicy(60.0, 20.0, 5.0, 17.0, 8, dict.fromkeys(Stage, 60.0))


class Slices:
    """The dispatcher's side of a ledger."""

    def __init__(self) -> None:
        self.rounds: list[bool] = []
        self.sweeps = 0
        self.fault: Exception | None = None
        self.is_full = False

    def take_ready(self, window: int, *, oldest_first: bool, queued: int = 0) -> Sequence[Token]:
        self.rounds.append(oldest_first)
        return [] if self.is_full else [Token(uuid4(), Stage.PARSE, 1)]

    def put_back(self, token: Token) -> None:
        raise AssertionError("everything was sent")

    def sweep(self, dispatch_timeout: float) -> Swept:
        if self.fault is not None:
            raise self.fault
        self.sweeps += 1
        return Swept(0, 0, 0, 0, 0)


@pytest.fixture
def app() -> Iterator[Celery]:
    Channel.queues.clear()
    made = Celery("test", broker="memory://", set_as_current=False)
    yield made
    made.close()
    Channel.queues.clear()


def test_one_round_in_so_many_goes_to_the_oldest(app: Celery) -> None:
    slices = Slices()
    dispatcher = Dispatcher(app, slices, POLICY, sweep_seconds=3600.0)
    assert [dispatcher.round() for _ in range(2 * AGEING)] == [1] * (2 * AGEING)
    assert slices.rounds == [False, False, False, True] * 2


def test_a_round_that_finds_the_window_full_takes_nobodys_turn(app: Celery) -> None:
    """However the window's openings fall, the oldest get one in so many of those that were."""
    slices = Slices()
    dispatcher = Dispatcher(app, slices, POLICY, sweep_seconds=3600.0)
    given: list[bool] = []
    for number in range(AGEING * AGEING):
        slices.is_full = number % AGEING != 0
        if dispatcher.round():
            given.append(slices.rounds[-1])
    assert given == [False, False, False, True]


@pytest.mark.parametrize(("seconds", "sweeps"), [(3600.0, 1), (0.0, 5)])
def test_the_first_round_sweeps_and_later_ones_when_it_is_time(app: Celery, seconds: float, sweeps: int) -> None:
    slices = Slices()
    dispatcher = Dispatcher(app, slices, POLICY, sweep_seconds=seconds)
    for _ in range(5):
        dispatcher.round()
    assert slices.sweeps == sweeps


def test_a_sweep_that_failed_is_made_up_for_in_the_next_round(app: Celery) -> None:
    slices = Slices()
    slices.fault = ServiceUnavailable("Postgres")
    dispatcher = Dispatcher(app, slices, POLICY, sweep_seconds=3600.0)
    with pytest.raises(ServiceUnavailable):
        dispatcher.round()
    slices.fault = None
    dispatcher.round()
    assert slices.sweeps == 1


def test_a_sweep_that_fails_holds_up_nothing_that_is_ready(app: Celery) -> None:
    slices = Slices()
    slices.fault = ServiceUnavailable("Postgres")
    dispatcher = Dispatcher(app, slices, POLICY, sweep_seconds=3600.0)
    for number in range(AGEING):
        with pytest.raises(ServiceUnavailable):
            dispatcher.round()
        assert len(slices.rounds) == number + 1
    assert slices.rounds == [False, False, False, True]


def test_looks_are_at_most_a_second_apart_and_not_in_step_with_workers(
    app: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle workers ask for a message every second; one sent in step with them comes to the same one each time."""
    pauses: list[tuple[float, float]] = []
    dispatcher = Dispatcher(app, Slices(), POLICY, sweep_seconds=3600.0)

    def wait(least: float, most: float) -> None:
        pauses.append((least, most))
        if len(pauses) == 3:
            dispatcher.stop()

    monkeypatch.setattr(dispatchers, "listening", lambda _url: nullcontext(wait))
    dispatcher.run("postgresql://nowhere")
    assert pauses == [POLL] * 3
    assert POLL[0] <= POLL[1] / 2 <= 0.5


def test_a_dispatcher_that_was_stopped_does_not_start() -> None:
    dispatcher = Dispatcher(Celery(set_as_current=False), Slices(), POLICY, sweep_seconds=1.0)
    dispatcher.stop()
    dispatcher.run("postgresql://127.0.0.1:9/nothing")


def test_a_round_over_the_ledger_shows_life_and_a_failed_one_does_not(app: Celery, tmp_path: Path) -> None:
    slices, path = Slices(), tmp_path / "alive"
    dispatcher = Dispatcher(app, slices, POLICY, sweep_seconds=0.0, life=LifeSign(path))
    slices.fault = ServiceUnavailable("Postgres")
    with pytest.raises(ServiceUnavailable):
        dispatcher.round()
    assert not path.exists()
    slices.fault = None
    dispatcher.round()
    assert path.exists()
