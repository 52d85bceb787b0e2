"""However much is accepted and however long nobody works, the broker holds no more messages than the window is wide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from celery import Celery
from harness.bench import Bench
from harness.servers import RedisServer

from pipeline.types import Stage
from tasks.workflow import dispatch, queue_depth, sweep

WINDOW = 8
SLICES = 5_000


@pytest.fixture
def app(redis: RedisServer) -> Iterator[Celery]:
    made = Celery("test", broker=redis.url, set_as_current=False)
    yield made
    made.close()


@pytest.fixture
def backlog(bench: Bench) -> Bench:
    """Thousands of slices that are ready; what is in them does not matter here."""
    run = bench.ingest({"a.txt": "text"})
    bench.rows(
        "INSERT INTO slices (id, run_id, stage, state, priority)"
        " SELECT gen_random_uuid(), :run, 'parse', 'ready', 1 FROM generate_series(2, :slices)",
        run=run.id,
        slices=SLICES,
    )
    return bench


def depth(redis: RedisServer) -> int:
    return sum(redis.client.llen(stage.value) for stage in Stage)


def test_the_window_bounds_the_broker_while_nobody_takes_a_message(
    backlog: Bench, app: Celery, redis: RedisServer
) -> None:
    policy = replace(backlog.context.policy, dispatch_window=WINDOW)
    for number in range(12):
        dispatch(app, backlog.ledger, policy, oldest_first=number % 4 == 3)
        assert depth(redis) == queue_depth(app) == WINDOW
        # All that was sent is taken for lost, and brought back.
        backlog.rows("UPDATE slices SET dispatched_at = now() - interval '1 h' WHERE state = 'dispatched'")
        sweep(backlog.ledger, policy)
    assert backlog.one("SELECT count(*) FROM slices WHERE state = 'ready'") == SLICES
    redis.client.delete(*(stage.value for stage in Stage))
    assert dispatch(app, backlog.ledger, policy, oldest_first=False) == WINDOW, "and goes on when they are gone"


def test_memory_of_the_broker_does_not_grow_with_the_backlog(backlog: Bench, app: Celery, redis: RedisServer) -> None:
    policy = replace(backlog.context.policy, dispatch_window=WINDOW)
    before = int(redis.client.info("memory")["used_memory"])
    dispatch(app, backlog.ledger, policy, oldest_first=False)
    for _ in range(5):
        dispatch(app, backlog.ledger, policy, oldest_first=False)
    assert int(redis.client.info("memory")["used_memory"]) - before < 1024 * 1024
