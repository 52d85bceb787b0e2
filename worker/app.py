"""The Celery application: ``celery -A worker.app worker``."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from celery.signals import (
    after_task_publish,
    beat_init,
    heartbeat_sent,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_shutdown,
    worker_shutting_down,
)

from pipeline.errors import MisconfiguredError
from tasks.base import IngestApp
from worker.context import build_context
from worker.observability.liveness import LifeSign
from worker.observability.logs import configure_logs
from worker.observability.memory import limit_memory
from worker.observability.witness import FaultWitness
from worker.settings import load_settings
from worker.starting import await_schema

#: Seconds between two heartbeats of a worker at most; Celery's default is every two seconds.
PULSE = 10.0

witness = FaultWitness()
app = IngestApp("mobius", build_context=lambda: build_context(load_settings()), witness=witness)
app.config_from_object("celeryconfig")


@setup_logging.connect
def _configure_logs(**_kwargs: Any) -> None:
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)


@worker_init.connect
def _require_schema(**_kwargs: Any) -> None:
    """Start on no database that is older than this version: Celery would log an error of ours and go on."""
    try:
        await_schema(load_settings().require("database_url"))
    except MisconfiguredError as exc:
        raise SystemExit(f"mobius worker: {exc}") from exc


@worker_init.connect
def _show_worker_alive(**_kwargs: Any) -> None:
    LifeSign(load_settings().liveness_file).show_at_pulse(heartbeat_sent, PULSE)


@worker_init.connect
def _open_traces(**_kwargs: Any) -> None:
    witness.open()


@worker_shutdown.connect
def _close_traces(**_kwargs: Any) -> None:
    witness.close()


@worker_process_init.connect
def _begin_process(**_kwargs: Any) -> None:
    limit_memory(load_settings().process_memory_bytes)
    witness.begin_process()


@worker_shutting_down.connect
def _bound_the_drain(how: str = "", **_kwargs: Any) -> None:
    """Let a worker that was told to end finish its task, but wait no longer for it than for a soft shutdown.

    Celery waits without a bound after SIGTERM, and after SIGQUIT it sleeps its soft shutdown to the end, however soon
    the task is done. What is not finished in time loses its lease and is done elsewhere.
    """
    if how == "Warm":
        drain = threading.Timer(app.conf.worker_soft_shutdown_timeout, _end_without_a_wait)
        drain.daemon = True
        drain.start()


def _end_without_a_wait() -> None:
    app.conf.worker_soft_shutdown_timeout = 0.0
    os.kill(os.getpid(), signal.SIGQUIT)


@beat_init.connect
def _show_beat_alive(**_kwargs: Any) -> None:
    LifeSign(load_settings().liveness_file).show_at(after_task_publish)
