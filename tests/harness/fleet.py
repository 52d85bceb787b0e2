"""The product's own processes, started by a test, each in a process group that the test can stop, wake and kill."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def wait_until(claim: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Return as soon as the claim holds; fail the test if it does not in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"after {seconds} s still not true: {what}"
        time.sleep(0.05)


class Member:
    """One process group."""

    def __init__(self, name: str, argv: list[str], env: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, cwd=ROOT, env=dict(env), stdout=log, stderr=log, start_new_session=True
            )

    @property
    def is_alive(self) -> bool:
        """Whether its first process runs."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """End the group as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        self._process.wait()

    def records(self, event: str) -> list[dict[str, object]]:
        """Return its log records of one event."""
        lines = self.log.read_text(errors="replace").splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [record for record in records if record.get("event") == event]

    def logged(self, text: str) -> bool:
        """Whether its log holds a text."""
        return text in self.log.read_text(errors="replace")


class Fleet:
    """Starts members and ends all of them."""

    def __init__(self, env: Mapping[str, str], directory: Path) -> None:
        self._env = env
        self._directory = directory
        self.members: list[Member] = []

    def start(self, name: str, argv: list[str], **extra: str) -> Member:
        """Start a Python process of the product; ``extra`` adds to its environment."""
        member = Member(name, [sys.executable, "-m", *argv], {**self._env, **extra}, self._directory)
        self.members.append(member)
        return member

    def worker(
        self, name: str, queues: str = "parse,chunk,embed,upsert,control", *, processes: int = 1, **extra: str
    ) -> Member:
        """Start a Celery worker and return when it takes messages."""
        argv = ["celery", "-A", "worker.app", "worker", "-n", f"{name}@test", "-Q", queues]
        options = ["--concurrency", str(processes), "--without-gossip", "--without-mingle"]
        member = self.start(name, [*argv, *options], **extra)
        wait_until(lambda: member.logged(" ready.") or not member.is_alive, f"worker {name} is ready")
        assert member.is_alive, member.log.read_text()
        return member

    def dispatcher(self, name: str = "dispatcher", **extra: str) -> Member:
        """Start a dispatcher."""
        return self.start(name, ["worker.dispatcher"], **extra)

    def mobius(self, *args: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", *args],
            cwd=ROOT,
            env={**self._env, **extra},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def end(self) -> None:
        """Kill whatever still runs, stopped processes included."""
        for member in self.members:
            member.kill()
