"""The Celery application: ``celery -A worker.app worker``."""

from __future__ import annotations

from typing import Any

from celery.signals import setup_logging

from tasks.base import IngestApp
from worker.context import build_context
from worker.observability.logs import configure_logs
from worker.settings import load_settings

app = IngestApp("mobius", build_context=lambda: build_context(load_settings()))
app.config_from_object("celeryconfig")


@setup_logging.connect
def _configure_logs(**_kwargs: Any) -> None:
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
