"""The product's own processes, started by a test, each in a process group that the test can stop, wake and kill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.members import ROOT, Member, wait_until, without_coverage

from pipeline.testing.openai_stub import OpenAIStub

__all__ = ["ROOT", "Fleet", "Member", "environment_of", "wait_until"]

#: What the members send to the provider; a stub may insist on it.
PROVIDER_KEY = "the-right-key"

#: What a worker logs when it takes messages.
WORKER_READY = " ready."
ALL_QUEUES = "parse,chunk,embed,upsert,control"


def environment_of(
    services: Mapping[str, str], database_url: str, redis_url: str, provider: OpenAIStub, place: Path
) -> dict[str, str]:
    """Return the environment of members with a database and a Redis, and a collection for their directory alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOBIUS_", "OPENAI_"))}
    return kept | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "QDRANT_URL": services["QDRANT_URL"],
        "QDRANT_API_KEY": services["QDRANT_API_KEY"],
        "MOBIUS_HOME": str(place / "home"),
        "MOBIUS_EMBEDDER": "openai",
        "MOBIUS_OPENAI_MODEL": f"stub-{place.name}",
        "MOBIUS_OPENAI_DIMS": "32",
        "OPENAI_API_KEY": PROVIDER_KEY,
        "OPENAI_BASE_URL": provider.url,
    }


def worker_argv(name: str, queues: str = ALL_QUEUES, processes: int = 1, app: str = "worker.app") -> list[str]:
    """Return the arguments of Python that run a Celery worker."""
    argv = ["-m", "celery", "-A", app, "worker", "-n", f"{name}@test", "-Q", queues]
    return [*argv, "--concurrency", str(processes), "--without-gossip", "--without-mingle"]


class Fleet:
    """Starts members, whose source is in ``tree``, and ends all of them."""

    def __init__(self, env: Mapping[str, str], directory: Path, tree: Path = ROOT) -> None:
        self._env = env
        self._directory = directory
        self._tree = tree
        self.members: list[Member] = []

    def start(self, name: str, argv: list[str], **extra: str) -> Member:
        """Start a Python process of the product; ``extra`` adds to its environment."""
        env = {**self._env, **extra}
        return self._start(Member(name, [sys.executable, "-m", *argv], env, self._directory, tree=self._tree))

    def worker(
        self, name: str, queues: str = ALL_QUEUES, *, processes: int = 1, app: str = "worker.app", **extra: str
    ) -> Member:
        """Start a Celery worker and return when it takes messages."""
        argv = [sys.executable, *worker_argv(name, queues, processes, app)]
        env = {**self._env, **extra}
        member = self._start(Member(name, argv, env, self._directory, ready_prompt=WORKER_READY, tree=self._tree))
        member.ready()
        return member

    def _start(self, member: Member) -> Member:
        self.members.append(member)
        member.start()
        return member

    def dispatcher(self, name: str = "dispatcher", **extra: str) -> Member:
        """Start a dispatcher."""
        return self.start(name, ["worker.dispatcher"], **extra)

    def mobius(self, *args: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "worker.cli.main", *args],
            cwd=self._tree,
            env=without_coverage({**self._env, **extra}),
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
