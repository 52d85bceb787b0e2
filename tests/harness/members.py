"""One process group that a test starts, stops, wakes, kills and starts again, with the surface of a container.

pytest-celery's nodes ask their container for ``name``, ``id``, ``status``, ``logs``, ``kill``, ``reload``, ``restart``,
``teardown``, ``ready`` and ``celeryconfig``, and for nothing else; so they take a process as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGKILL, Signals
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[2]


def wait_until(claim: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Return as soon as the claim holds; fail the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"after {seconds} s still not true: {what}"
        time.sleep(0.05)


def without_coverage(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which coverage does not measure what is started.

    A process that is killed in the end loses what it measured, and one that serves many tests slows all of them down.
    """
    return {name: value for name, value in env.items() if name != "COVERAGE_PROCESS_CONFIG"}


def records_in(log: str, event: str) -> list[dict[str, object]]:
    """Return the log records of one event."""
    lines = [line for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [record for record in map(json.loads, lines) if record.get("event") == event]


class Member:
    """One process group; it is not started yet. ``ready_prompt`` is what its log says when it is ready.

    ``tree`` is where its source is.
    """

    #: What Celery is told to reach it; only a broker or a backend has that.
    celeryconfig: Mapping[str, str] = {}

    def __init__(
        self,
        name: str,
        argv: list[str],
        env: Mapping[str, str],
        directory: Path,
        *,
        ready_prompt: str = "",
        tree: Path = ROOT,
    ) -> None:
        self.name = name
        self.id = uuid4().hex
        self.env = without_coverage(env)
        self.log = directory / f"{name}.log"
        self._argv = argv
        self._ready_prompt = ready_prompt
        self._tree = tree
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0

    @property
    def is_alive(self) -> bool:
        """Whether its first process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> str:
        """Return what Docker would say of it."""
        return "created" if self._process is None else "running" if self.is_alive else "exited"

    def start(self) -> None:
        """Start it, once more where it ended before."""
        assert not self.is_alive, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._started_at = log.tell()
            self._process = subprocess.Popen(
                self._argv, cwd=self._tree, env=self.env, stdout=log, stderr=log, start_new_session=True
            )

    def ready(self) -> bool:
        """Wait until it is ready; fail the test if it ends instead."""
        wait_until(lambda: self._is_ready() or not self.is_alive, f"{self.name} is ready")
        assert self.is_alive, self.logs()
        return True

    def _is_ready(self) -> bool:
        return self._ready_prompt.encode() in self.log.read_bytes()[self._started_at :]

    def send(self, number: int) -> None:
        """Send a signal to the whole group."""
        assert self._process is not None, f"{self.name} was never started"
        os.killpg(self._process.pid, number)

    def kill(self, signal: str | int = SIGKILL) -> None:
        """Send a signal; by default end the group as a crash would."""
        number = Signals[signal] if isinstance(signal, str) else signal
        with contextlib.suppress(ProcessLookupError):
            if self._process is not None:
                self.send(number)
        if self._process is not None and number == SIGKILL:
            self._process.wait()

    def restart(self, timeout: float = 10) -> None:
        """End it, by force after ``timeout`` seconds; start it and wait until it is ready."""
        if self._process is not None and self.is_alive:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        self.kill()
        self.start()
        self.ready()

    def reload(self) -> None:
        """Do nothing: the status is always the current one."""

    def teardown(self) -> None:
        """Kill it if it still runs, stopped or not."""
        self.kill()

    def logs(self) -> str:
        """Return all that it ever logged."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def records(self, event: str) -> list[dict[str, object]]:
        """Return its log records of one event."""
        return records_in(self.logs(), event)

    def logged(self, text: str) -> bool:
        """Whether its log holds a text."""
        return text in self.logs()
