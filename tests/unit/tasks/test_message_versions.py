"""A message and a slice of a newer version are left to newer workers, and chunks of an older one are made again."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from celery.exceptions import Reject

from pipeline.testing import FakeLeases, HandedBack
from pipeline.types import Claim, Stage, Token
from pipeline.versions import MESSAGE_VERSION, SLICE_VERSION, MadeByOlder
from tasks.base import IngestApp, StageContext, StageTask
from tasks.queues import VERSION_HEADER

TOKEN = Token(UUID(int=1), Stage.EMBED, 3)
MESSAGE = (str(TOKEN.slice_id), "embed", 3)

Stages = Callable[[StageContext, Claim], dict[str, int]]


def forbidden(context: StageContext, claim: Claim) -> dict[str, int]:
    raise AssertionError("the stage ran")


def of_older(context: StageContext, claim: Claim) -> dict[str, int]:
    raise MadeByOlder


def deliver(context: StageContext, *args: object, version: int, stage: Stages = forbidden) -> None:
    """Deliver a message of a version; the task must give its slice back and end the chain."""
    app = IngestApp("test", build_context=lambda: context, set_as_current=False)
    task = app.task(stage, name="test.stage", base=StageTask, shared=False)
    task.push_request(headers={}, **{VERSION_HEADER: version})
    try:
        with pytest.raises(Reject) as caught:
            task(*args)
        assert caught.value.requeue is False
    finally:
        task.pop_request()


def test_a_message_of_a_newer_version_is_left_to_a_newer_worker_whatever_else_it_says(
    context: StageContext, leases: FakeLeases
) -> None:
    for more in ((), ("more", {"and": "more"})):
        leases.offer(TOKEN, attempts=2)
        deliver(context, *MESSAGE, *more, version=MESSAGE_VERSION + 1)
        (handed,) = leases.handed_back
        assert (handed.error, handed.delay_seconds, handed.forgive, handed.stage) == ("MadeByNewer", 5.0, True, None)
        assert f"{MESSAGE_VERSION + 1}, not {MESSAGE_VERSION}" in handed.message
        leases.handed_back.clear()


def test_a_slice_that_a_newer_version_planned_is_left_to_a_newer_worker(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.offer(TOKEN, version=SLICE_VERSION + 1)
    deliver(context, *MESSAGE, version=MESSAGE_VERSION)
    (handed,) = leases.handed_back
    assert (handed.error, handed.delay_seconds, handed.forgive, handed.stage) == ("MadeByNewer", 5.0, True, None)
    assert f"{SLICE_VERSION + 1}, not {SLICE_VERSION}" in handed.message


def test_chunks_of_an_older_version_send_the_slice_back_to_be_chunked_again(
    context: StageContext, leases: FakeLeases
) -> None:
    leases.offer(TOKEN)
    deliver(context, *MESSAGE, stage=of_older, version=MESSAGE_VERSION)
    assert leases.handed_back == [
        HandedBack("MadeByOlder", str(MadeByOlder()), 5.0, forgive=True, stage=Stage.CHUNK),
    ]
