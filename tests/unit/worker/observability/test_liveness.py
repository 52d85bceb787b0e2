"""The file's age is that of the last work done: no work, no touch."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from celery.signals import after_task_publish, beat_init, heartbeat_sent, worker_init
from celery.utils.dispatch import Signal

from pipeline.errors import MisconfiguredError
from worker import app as application
from worker.observability.liveness import LifeSign


def test_a_touch_makes_the_file_and_renews_it(tmp_path: Path) -> None:
    path = tmp_path / "alive"
    LifeSign(path).show()
    os.utime(path, (0, 0))
    LifeSign(path).show()
    assert path.stat().st_mtime > 0
    assert path.read_bytes() == b""


def test_without_a_file_nothing_happens() -> None:
    signal = Signal(name="test")
    LifeSign().show()
    LifeSign().show_at(signal)
    LifeSign().show_at_pulse(signal, within=60.0)
    assert signal.receivers is None or not signal.receivers


def test_a_file_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MisconfiguredError, match=r"MOBIUS_LIVENESS_FILE: .* cannot be written .* writable directory"):
        LifeSign(tmp_path / "missing" / "alive").show()


def test_each_signal_touches_the_file(tmp_path: Path) -> None:
    signal, path = Signal(name="test"), tmp_path / "alive"
    LifeSign(path).show_at(signal)
    assert not path.exists()
    signal.send(sender=None)
    assert path.exists()


def test_a_pulse_is_two_signals_soon_after_each_other(tmp_path: Path) -> None:
    steady, halting = Signal(name="steady"), Signal(name="halting")
    LifeSign(tmp_path / "steady").show_at_pulse(steady, within=60.0)
    LifeSign(tmp_path / "halting").show_at_pulse(halting, within=0.0)
    steady.send(sender=None)
    halting.send(sender=None)
    assert list(tmp_path.iterdir()) == []
    steady.send(sender=None)
    halting.send(sender=None)
    assert [path.name for path in tmp_path.iterdir()] == ["steady"]


@pytest.mark.parametrize(("start", "work"), [(worker_init, heartbeat_sent), (beat_init, after_task_publish)])
def test_a_worker_shows_its_heartbeats_and_beat_its_messages(
    start: Signal, work: Signal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert application.app.main == "mobius"
    path = tmp_path / "alive"
    monkeypatch.setenv("MOBIUS_LIVENESS_FILE", str(path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setattr(application, "await_schema", lambda _url: None)
    monkeypatch.setattr(work, "receivers", [])
    work.send(sender=None)
    assert not path.exists()
    start.send(sender=None)
    work.send(sender=None)
    work.send(sender=None)
    assert path.exists()
