"""No test of this ring talks to anything outside its own process; Celery is configured, but never connects."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.app.defaults import SETTING_KEYS
from harness.isolation import no_way_out

ROOT = Path(__file__).resolve().parents[2]
#: Settings that Celery reads, but that are missing in its own list of them.
UNLISTED = frozenset({"redis_backend_health_check_interval"})
#: Whether a port answers is the very subject of these; they listen themselves.
ABOUT_SOCKETS = Path(__file__).parent / "worker" / "local"


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Refuse every connection except to a Unix socket."""
    with no_way_out(loopback=request.path.is_relative_to(ABOUT_SOCKETS)):
        yield


@pytest.fixture
def configuration(monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """Run celeryconfig.py in an environment without any setting of ours but Redis' address."""
    for name in [name for name in os.environ if name.startswith(("MOBIUS_", "OPENAI_", "QDRANT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("REDIS_URL", "redis://user:secret@broker:6379")

    def read() -> dict[str, Any]:
        names = runpy.run_path(str(ROOT / "celeryconfig.py"))
        return {name: value for name, value in names.items() if name in SETTING_KEYS or name in UNLISTED}

    return read


@pytest.fixture
def celery_app(configuration: Callable[[], dict[str, Any]]) -> Iterator[Celery]:
    """Celery as celeryconfig.py configures it."""
    made = Celery("test", set_as_current=False)
    made.config_from_object(SimpleNamespace(**configuration()))
    yield made
    made.close()
