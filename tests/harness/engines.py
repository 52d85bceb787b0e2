"""What the nodes of a Celery cluster run as: processes always, containers where an engine and its images are there.

Nothing is pulled and nothing is built: a test run fetches nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

import docker
from docker.errors import DockerException, ImageNotFound
from harness.containers import ContainerMember, RedisContainer
from harness.fleet import WORKER_READY, worker_argv
from harness.members import Member
from harness.servers import RedisServer

#: As docker-compose.yml names them.
WORKER_IMAGE, REDIS_IMAGE = "mobius-ingest:local", "redis:7.4.9-bookworm"
#: Of a test's environment, what the product reads; the rest is about this machine.
_READ = ("DATABASE_URL", "REDIS_URL", "QDRANT_", "MOBIUS_", "OPENAI_")
_PATIENCE = 5


class Engine(Protocol):
    """Makes members that are not started yet."""

    def redis(self, directory: Path) -> RedisServer | RedisContainer: ...
    def worker(self, name: str, queues: str, env: Mapping[str, str], directory: Path) -> Member | ContainerMember: ...
    def close(self) -> None: ...


class Processes:
    """Real programs as children of the tests."""

    def redis(self, directory: Path) -> RedisServer:
        """Make a broker and backend."""
        return RedisServer(directory)

    def worker(self, name: str, queues: str, env: Mapping[str, str], directory: Path) -> Member:
        """Make a worker of one process for some queues."""
        return Member(name, [sys.executable, *worker_argv(name, queues)], env, directory, ready_prompt=WORKER_READY)

    def close(self) -> None:
        """Do nothing."""


class Containers:
    """The images that docker-compose.yml runs."""

    def __init__(self) -> None:
        self._engine = docker.from_env(timeout=_PATIENCE * 12)

    def redis(self, _directory: Path) -> RedisContainer:
        """Make a broker and backend."""
        return RedisContainer(self._engine, REDIS_IMAGE)

    def worker(self, name: str, queues: str, env: Mapping[str, str], _directory: Path) -> ContainerMember:
        """Make a worker of one process for some queues."""
        argv = ["python", *worker_argv(name, queues)]
        read = {key: value for key, value in env.items() if key.startswith(_READ)}
        return ContainerMember(self._engine, WORKER_IMAGE, name, argv, read, ready_prompt=WORKER_READY)

    def close(self) -> None:
        """Release the connections to the engine."""
        self._engine.close()


@cache
def why_no_containers() -> str:
    """Return what containers lack on this machine; nothing if they can run."""
    try:
        engine = docker.from_env(timeout=_PATIENCE)
    except DockerException:
        return "no container engine answers"
    try:
        engine.ping()
        for image in (WORKER_IMAGE, REDIS_IMAGE):
            engine.images.get(image)
    except ImageNotFound:
        return f"an engine answers, but it has no image {image}"
    except (DockerException, OSError):
        return "no container engine answers"
    finally:
        engine.close()
    return ""
