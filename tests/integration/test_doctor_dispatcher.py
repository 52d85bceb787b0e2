"""What mobius doctor sees of a dispatcher whose messages nobody takes."""

from __future__ import annotations

from dataclasses import replace

from celery import Celery
from harness.bench import Bench
from harness.servers import RedisServer

from tasks.workflow import dispatch, sweep
from worker.doctor.findings import Status
from worker.doctor.fleet import judge_dispatcher, judge_workers
from worker.doctor.postgres import PostgresSeen
from worker.doctor.probes import postgres as look_postgres
from worker.doctor.probes import redis as look_redis
from worker.doctor.probes import workers as look_workers
from worker.doctor.redis import RedisSeen
from worker.settings import load_settings


def test_while_no_worker_runs_the_dispatcher_is_not_blamed(
    bench: Bench, database_url: str, redis_server: RedisServer
) -> None:
    settings = load_settings({"DATABASE_URL": database_url, "REDIS_URL": redis_server.url})
    policy = replace(bench.context.policy, dispatch_window=settings.dispatch_window)
    app = Celery("test", broker=settings.broker_url, set_as_current=False)
    bench.ingest(*({f"{number}.txt": "text"} for number in range(settings.dispatch_window + 1)))
    dispatch(app, bench.ledger, policy, oldest_first=False)
    # Nobody takes a message for more than a minute: all slices are taken for lost, and no more are sent.
    bench.rows("UPDATE slices SET dispatched_at = now() - interval '1 min' WHERE state = 'dispatched'")
    sweep(bench.ledger, policy)
    assert dispatch(app, bench.ledger, policy, oldest_first=False) == 0
    app.close()
    bench.rows("UPDATE slices SET updated_at = now() - interval '1 min'")
    seen, redis = look_postgres.look(settings), look_redis.look(settings)
    assert isinstance(seen, PostgresSeen)
    assert isinstance(redis, RedisSeen)
    assert seen.backlog is not None
    assert (seen.backlog.waiting, seen.backlog.in_flight, redis.queued) == (9, 0, 8)
    finding = judge_dispatcher(seen.backlog, 1, settings.dispatch_window, redis.queued)
    assert (finding.status, "see workers" in finding.found) == (Status.OK, True)
    assert judge_workers(look_workers.look(settings), {"parse"}).status is Status.PROBLEM
