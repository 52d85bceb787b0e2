"""The beat tick does what the dispatcher would do, for the oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import uuid4

import pytest
from kombu.transport.memory import Channel

import tasks.maintenance
from pipeline.errors import ServiceUnavailable
from pipeline.types import Stage, Token
from pipeline.work import Swept
from tasks.base import IngestApp, StageContext
from tasks.queues import SWEEP


class Slices:
    """The dispatcher's side of a ledger."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, bool]] = []
        self.fault: Exception | None = None

    def sweep(self, dispatch_timeout: float) -> Swept:
        if self.fault is not None:
            raise self.fault
        return Swept(3, 4, 0, 0, 0)

    def take_ready(self, window: int, *, oldest_first: bool, queued: int = 0) -> Sequence[Token]:
        self.asked.append((window, oldest_first))
        return [Token(uuid4(), Stage.PARSE, 1), Token(uuid4(), Stage.EMBED, 2)]

    def put_back(self, token: Token) -> None:
        raise AssertionError("everything was sent")


@pytest.fixture
def slices() -> Slices:
    return Slices()


@pytest.fixture
def app(context: StageContext, slices: Slices) -> Iterator[IngestApp]:
    Channel.queues.clear()
    made = IngestApp(
        "test", build_context=lambda: replace(context, ledger=slices), broker="memory://", set_as_current=False
    )
    yield made
    made.close()
    Channel.queues.clear()


def test_a_tick_sweeps_and_sends_the_oldest_within_the_window(app: IngestApp, slices: Slices) -> None:
    assert tasks.maintenance.__name__ == "tasks.maintenance"
    assert app.tasks[SWEEP]() == {"expired": 3, "never_started": 4, "sent": 2}
    assert slices.asked == [(8, True)]


def test_a_tick_whose_sweep_fails_sends_what_is_ready_and_says_so(app: IngestApp, slices: Slices) -> None:
    slices.fault = ServiceUnavailable("Postgres")
    with pytest.raises(ServiceUnavailable):
        app.tasks[SWEEP]()
    assert slices.asked == [(8, True)]
