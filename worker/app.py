"""The Celery application: ``celery -A worker.app worker``."""

from __future__ import annotations

from typing import Any

from celery.signals import after_task_publish, beat_init, heartbeat_sent, setup_logging, worker_init

from tasks.base import IngestApp
from worker.context import build_context
from worker.observability.liveness import LifeSign
from worker.observability.logs import configure_logs
from worker.settings import load_settings

#: Seconds between two heartbeats of a worker at most; Celery's default is every two seconds.
PULSE = 10.0

app = IngestApp("mobius", build_context=lambda: build_context(load_settings()))
app.config_from_object("celeryconfig")


@setup_logging.connect
def _configure_logs(**_kwargs: Any) -> None:
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)


@worker_init.connect
def _show_worker_alive(**_kwargs: Any) -> None:
    LifeSign(load_settings().liveness_file).show_at_pulse(heartbeat_sent, PULSE)


@beat_init.connect
def _show_beat_alive(**_kwargs: Any) -> None:
    LifeSign(load_settings().liveness_file).show_at(after_task_publish)
