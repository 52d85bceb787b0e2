"""The dispatcher is woken by what is accepted, survives a restart of Postgres, and loses nothing when Redis is away."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from celery import Celery
from harness.bench import Bench
from harness.fleet import wait_until

from pipeline.errors import ServiceUnavailable
from tasks.workflow import dispatch
from worker.dispatcher import Dispatcher


@pytest.fixture
def dispatcher(bench: Bench, database_url: str) -> Iterator[Dispatcher]:
    """A running one, whose messages stay in memory."""
    app = Celery("test", broker="memory://", set_as_current=False)
    made = Dispatcher(app, bench.ledger, bench.context.policy, sweep_seconds=0.1)
    thread = threading.Thread(target=made.run, args=(database_url,))
    thread.start()
    yield made
    made.stop()
    thread.join(30)
    assert not thread.is_alive()
    app.close()


def state_is(bench: Bench, state: str) -> bool:
    return {row["state"] for row in bench.rows("SELECT state FROM slices")} == {state}


def test_it_sends_what_is_accepted_and_sends_again_what_was_lost(bench: Bench, dispatcher: Dispatcher) -> None:
    bench.ingest({"a.txt": "text"}, {"b.txt": "text"})
    wait_until(lambda: state_is(bench, "dispatched"), "both slices are sent")
    bench.rows("UPDATE slices SET dispatched_at = now() - interval '61 s'")
    wait_until(lambda: bench.one("SELECT min(seq) FROM slices") == 2, "both slices are sent again")


def test_it_goes_on_after_a_restart_of_postgres(bench: Bench, dispatcher: Dispatcher, database_url: str) -> None:
    bench.ingest({"a.txt": "text"})
    wait_until(lambda: state_is(bench, "dispatched"), "the first slice is sent")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    bench.ingest({"b.txt": "text"})
    wait_until(lambda: state_is(bench, "dispatched"), "the second slice is sent")


def test_slices_that_redis_does_not_take_are_ready_again(bench: Bench, closed_port: int) -> None:
    bench.ingest({"a.txt": "text"}, {"b.txt": "text"})
    app = Celery("test", broker=f"redis://127.0.0.1:{closed_port}/0", set_as_current=False)
    app.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.1}
    with pytest.raises(ServiceUnavailable, match="Redis does not answer"):
        dispatch(app, bench.ledger, bench.context.policy, oldest_first=False)
    assert bench.rows("SELECT DISTINCT state, attempts FROM slices") == [{"state": "ready", "attempts": 0}]
    app.close()
