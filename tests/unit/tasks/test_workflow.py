"""A slice is sent as one chain of its remaining stages, each with the token that it will find current."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery
from kombu.transport.memory import Channel

from pipeline.errors import ServiceUnavailable
from pipeline.types import Stage, Token
from pipeline.versions import MESSAGE_VERSION
from pipeline.work import Swept
from tasks.base import StagePolicy
from tasks.queues import VERSION_HEADER
from tasks.workflow import dispatch, send, sweep

POLICY = StagePolicy(60.0, 20.0, 5.0, 17.0, 8, dict.fromkeys(Stage, 60.0))


@pytest.fixture
def app() -> Iterator[Celery]:
    """Its queues live in this process' memory."""
    Channel.queues.clear()
    made = Celery("test", broker="memory://", set_as_current=False)
    yield made
    made.close()
    Channel.queues.clear()


def messages(app: Celery, queue: str) -> list[tuple[dict[str, Any], list[Any], dict[str, Any]]]:
    """Take all messages of a queue: headers, arguments and what is embedded."""
    found = []
    with app.connection_for_read() as connection:
        channel = connection.channel()
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            args, _kwargs, embedded = message.decode()
            found.append((message.headers, args, embedded))
    return found


def chain_of(app: Celery, queue: str) -> list[dict[str, Any]]:
    """Return all links of the only message of a queue, first to last, in one form."""
    ((headers, args, embedded),) = messages(app, queue)
    first = {
        "task": headers["task"],
        "id": headers["id"],
        "queue": queue,
        "args": args,
        "version": headers[VERSION_HEADER],
    }
    rest = [
        {
            "task": link["task"],
            "id": link["options"]["task_id"],
            "queue": link["options"]["queue"],
            "args": list(link["args"]),
            "version": link["options"]["headers"][VERSION_HEADER],
        }
        for link in reversed(embedded["chain"] or [])
    ]
    assert all(link["immutable"] for link in embedded["chain"] or [])
    return [first, *rest]


@pytest.mark.parametrize("stage", Stage)
def test_a_slice_is_sent_from_its_stage_on(app: Celery, stage: Stage) -> None:
    token = Token(uuid4(), stage, 7)
    send(app, token)
    remaining = list(Stage)[list(Stage).index(stage) :]
    assert chain_of(app, stage.value) == [
        {
            "task": f"mobius.{each}",
            "id": f"{token.slice_id}:{each}:{7 + offset}",
            "queue": each.value,
            "args": [str(token.slice_id), each.value, 7 + offset],
            "version": MESSAGE_VERSION,
        }
        for offset, each in enumerate(remaining)
    ]
    for other in set(Stage) - {stage}:
        assert messages(app, other.value) == []


def test_the_same_token_sent_twice_has_the_same_ids(app: Celery) -> None:
    token = Token(uuid4(), Stage.PARSE, 1)
    send(app, token)
    first = chain_of(app, "parse")
    send(app, token)
    assert chain_of(app, "parse") == first


class Slices:
    """A ledger with slices that are ready, and a broker that takes only so many of them."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.ready = list(tokens)
        self.asked: list[tuple[int, bool]] = []
        self.queued: list[int] = []
        self.back: list[Token] = []
        self.timeouts: list[float] = []
        self.swept = Swept(0, 0, 0, 0, 0)

    def take_ready(self, window: int, *, oldest_first: bool, queued: int = 0) -> Sequence[Token]:
        self.asked.append((window, oldest_first))
        self.queued.append(queued)
        taken, self.ready = self.ready[:window], self.ready[window:]
        return taken

    def put_back(self, token: Token) -> None:
        self.back.append(token)

    def sweep(self, dispatch_timeout: float) -> Swept:
        self.timeouts.append(dispatch_timeout)
        return self.swept


class FullBroker(Celery):
    """Takes so many messages and then no more."""

    room = 0

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        if self.room == 0:
            raise ServiceUnavailable("Redis")
        self.room -= 1
        return super().send_task(*args, **kwargs)


@pytest.mark.parametrize("oldest_first", [False, True])
def test_what_the_window_gives_is_sent(app: Celery, oldest_first: bool) -> None:
    tokens = [Token(uuid4(), stage, 1) for stage in (Stage.PARSE, Stage.EMBED, Stage.PARSE)]
    slices = Slices(tokens)
    assert dispatch(app, slices, POLICY, oldest_first=oldest_first) == 3
    assert slices.asked == [(POLICY.dispatch_window, oldest_first)]
    assert slices.back == []
    assert [args[0] for _, args, _ in messages(app, "parse")] == [str(tokens[0].slice_id), str(tokens[2].slice_id)]
    assert len(messages(app, "embed")) == 1


def test_the_ledger_is_told_how_many_messages_wait_whatever_they_are_worth(app: Celery) -> None:
    for stage in Stage:
        send(app, Token(uuid4(), stage, 1))
    send(app, Token(uuid4(), Stage.PARSE, 1))
    slices = Slices([])
    dispatch(app, slices, POLICY, oldest_first=False)
    assert slices.queued == [len(Stage) + 1]


def test_what_cannot_be_sent_is_ready_again_and_what_was_sent_is_not() -> None:
    tokens = [Token(uuid4(), Stage.UPSERT, 1) for _ in range(3)]
    slices = Slices(tokens)
    broker = FullBroker("full", broker="memory://", set_as_current=False)
    broker.room = 1
    with pytest.raises(ServiceUnavailable):
        dispatch(broker, slices, POLICY, oldest_first=False)
    assert slices.back == tokens[1:]
    broker.close()


def test_a_sweep_uses_the_timeout_of_the_policy_and_returns_what_it_did() -> None:
    slices = Slices([])
    slices.swept = Swept(1, 2, 3, 4, 5)
    assert sweep(slices, POLICY) == Swept(1, 2, 3, 4, 5)
    assert slices.timeouts == [17.0]
