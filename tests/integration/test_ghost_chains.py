"""A thousand chains that are sent again behind their like in a real queue end at their first stale message."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from celery import signals
from celery.contrib.testing.worker import start_worker
from harness.fake_bench import FakeBench
from harness.fleet import wait_until
from harness.servers import RedisServer

import tasks.ingest
from pipeline.types import Stage
from tasks.base import IngestApp
from tasks.workflow import dispatch, sweep

#: Each is sent three times, so that a thousand messages are sent again.
SLICES, TIMES = 500, 3
STAGES = tuple(stage.value for stage in Stage)


@pytest.fixture
def bench() -> FakeBench:
    """A ledger in memory, with patience for all messages at once."""
    made = FakeBench()
    made.context = replace(made.context, policy=replace(made.context.policy, dispatch_window=TIMES * SLICES))
    return made


@pytest.fixture
def quiet() -> Iterator[None]:
    """No log, which takes longer to write than the rest."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()


@pytest.fixture
def app(bench: FakeBench, redis: RedisServer, quiet: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[IngestApp]:
    """The product's application over that ledger; whatever is sent waits in a Redis."""
    # What the real workers do at their start, with a real database; another test may have imported them.
    monkeypatch.setattr(signals.worker_init, "receivers", [])
    assert tasks.ingest, "its tasks are shared with every application"
    made = IngestApp("ghosts", broker=redis.url, build_context=lambda: bench.context, set_as_current=False)
    made.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1)
    yield made
    made.close()


@pytest.mark.timeout(400)
def test_a_thousand_messages_that_are_sent_again_under_a_backlog_raise_no_ghost_chains(
    bench: FakeBench, app: IngestApp, redis: RedisServer
) -> None:
    """Each has waited for longer than the dispatcher has patience, and is sent again behind all the others."""
    policy, waiting = bench.context.policy, redis.client.llen
    bench.ingest(*({f"{number}.txt": f"tiny text {number}"} for number in range(SLICES)))
    for _ in range(TIMES):
        sweep(bench.ledger, policy)
        assert dispatch(app, bench.ledger, policy, oldest_first=False) == SLICES
        bench.pass_time(policy.dispatch_timeout_seconds + 1)
    assert waiting("parse") == TIMES * SLICES
    consumed: list[str] = []

    def count(task_id: str, **_: object) -> None:
        consumed.append(task_id)

    signals.task_prerun.connect(count)
    try:
        with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=60.0, queues=STAGES):
            needed, again = len(STAGES) * SLICES, (TIMES - 1) * SLICES
            wait_until(lambda: len(consumed) >= needed + again, "every message is consumed", seconds=300)
    finally:
        signals.task_prerun.disconnect(count)
    assert {row.state.value for row in bench.slices()} == {"done"}
    assert not any(map(waiting, (*STAGES, "unacked")))
    assert again == 1_000
    assert len(consumed) <= 1.5 * needed
    assert len(bench.embedder.bought) == SLICES
    assert len(bench.index.points) == SLICES
