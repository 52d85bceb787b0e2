"""Ask the Celery workers over Redis which queues they consume."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery
from redis.exceptions import RedisError

from pipeline.errors import MisconfiguredError
from worker.doctor.findings import Silence
from worker.doctor.fleet import WorkersSeen
from worker.doctor.probes.redis import TIMEOUT, connect
from worker.doctor.questions import Question
from worker.settings import Settings

#: How long to wait for answers: nobody knows how many there will be (seconds). A worker answers within milliseconds,
#: but one that shares a busy machine may not.
_PATIENCE = 1.2
_TRANSPORT = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "max_retries": 1}


def look(settings: Settings) -> WorkersSeen | Silence:
    """Return who answers, and for which queues."""
    try:
        url = settings.broker_url
        # Celery itself would try to connect again and again.
        with connect(url) as client:
            client.ping()
    except (MisconfiguredError, RedisError, OSError, ValueError):
        return Silence("see redis", "")
    app = Celery("doctor", broker=url, set_as_current=False)
    app.conf.broker_transport_options = _TRANSPORT
    try:
        return _ask(app)
    finally:
        app.close()


def _ask(app: Celery) -> WorkersSeen:
    """Put two questions to all workers at the same time, for each takes all of the patience."""
    asked: Question[dict[str, Any]] = Question("pools", lambda: app.control.inspect(timeout=_PATIENCE).stats() or {})
    queues: dict[str, list[dict[str, Any]]] = app.control.inspect(timeout=_PATIENCE).active_queues() or {}
    stats = asked.answer(time.monotonic() + _PATIENCE)
    pools = {} if isinstance(stats, Silence) else {worker: stat.get("pool", {}) for worker, stat in stats.items()}
    return WorkersSeen(
        {worker: frozenset(queue["name"] for queue in consumed) for worker, consumed in queues.items()},
        sum(int(pools.get(worker, {}).get("max-concurrency") or 1) for worker in queues),
    )
