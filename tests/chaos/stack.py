"""The embedded stack that is put under fire: the real supervisor, two of everything that may be there twice.

Two CPU workers, two I/O workers, two dispatchers and two beats, Flower and the API, on Postgres, Redis and the index
of the local stack. All of ours reach the index through a wire that can be disturbed, and the provider is a stub.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import redis
from chaos.provider import DIMS, PATIENCE, Provider
from chaos.stores import Reader
from chaos.wire import Wire
from harness.members import ROOT, without_coverage
from harness.servers import free_port

from worker import local
from worker.local import ChildState, FleetOptions, fleet, processes
from worker.local.state import Home

PROJECT = "chaos"
SERVICES = ("postgres", "redis", "qdrant")
CPU_WORKERS = ("worker-cpu", "worker-cpu-2")
IO_WORKERS = ("worker-io", "worker-io-2")
WORKERS = (*CPU_WORKERS, *IO_WORKERS, "worker-control")
#: Child whose second one works on a file or under a name of its own.
_TWINS = {"worker-cpu": "cpu@", "worker-io": "io@", "dispatcher": "", "beat": "celerybeat-schedule"}


@dataclass
class Stack:
    """One stack from ``start`` to ``end``; ``settings`` are MOBIUS_ variables of its processes."""

    directory: Path
    provider: Provider
    settings: dict[str, str]
    ports: local.ServicePorts = field(
        default_factory=lambda: local.ServicePorts(postgres=free_port(), redis=free_port(), qdrant=free_port())
    )

    def __post_init__(self) -> None:
        self.home = Home.at(self.directory / "home")
        self.wire = Wire(f"http://127.0.0.1:{self.ports.qdrant}")
        self._fleet_ports = free_port(), free_port()

    def start(self) -> None:
        """Bring everything up; also what a supervisor that was killed left."""
        self.home.prepare()
        local.up(
            self.home.path, self._environ(), report=lambda _: None, ports=self.ports, table=self._table(), timeout=240
        )

    def end(self) -> None:
        """End every process."""
        local.down(self.home.path, report=lambda _: None)
        self.wire.close()

    def _environ(self) -> dict[str, str]:
        theirs = ("MOBIUS_", "OPENAI_", "DATABASE_URL", "REDIS_URL", "QDRANT_")
        kept = {name: value for name, value in without_coverage(os.environ).items() if not name.startswith(theirs)}
        return kept | {
            "MOBIUS_PROJECT": PROJECT,
            "MOBIUS_EMBEDDER": "openai",
            "MOBIUS_OPENAI_MODEL": "stub",
            "MOBIUS_OPENAI_DIMS": str(DIMS),
            "MOBIUS_OPENAI_TIMEOUT": str(PATIENCE),
            "MOBIUS_OPENAI_MAX_INPUTS": "16",
            # No reconciliation: what is wrong at the end was not mended by anybody.
            "MOBIUS_RECONCILE_SECONDS": "1000000",
            "OPENAI_API_KEY": "a-test-key",
            "OPENAI_BASE_URL": self.provider.url,
            **self.settings,
        }

    def _table(self) -> list[local.ChildSpec]:
        flower, api = self._fleet_ports
        specs = fleet.specs(self.home, FleetOptions(1, 1), flower, api, SERVICES)
        twins = [_twin(spec, _TWINS[spec.name]) for spec in specs if spec.name in _TWINS]
        wired = [replace(spec, env={**spec.env, "QDRANT_URL": self.wire.url}) for spec in (*specs, *twins)]
        return [fleet.migration(["postgres"]), *wired]

    # --- what it says

    @property
    def services(self) -> dict[str, str]:
        """The services' addresses."""
        return local.service_environment(self.home.path)

    @property
    def lease_seconds(self) -> float:
        """How long a worker may be silent."""
        return float(self.settings.get("MOBIUS_LEASE_SECONDS", "20"))

    @property
    def api_url(self) -> str:
        """Where the API listens."""
        return f"http://127.0.0.1:{self._fleet_ports[1]}"

    def reader(self) -> Reader:
        """Return what reads the stores, past every wire."""
        found = self.services
        return Reader(found["DATABASE_URL"], found["QDRANT_URL"], found["QDRANT_API_KEY"])

    def redis(self) -> redis.Redis:
        """Return a client of the queues."""
        return redis.Redis.from_url(self.services["REDIS_URL"], socket_timeout=5)

    def children(self) -> dict[str, local.ChildStatus]:
        """Return every process of the stack."""
        return {child.name: child for child in local.status(self.home.path, ask=False).children}

    def pid(self, name: str) -> int | None:
        """Return the pid of a process that is ready; None of any other."""
        child = self.children().get(name)
        return child.pid if child is not None and child.state is ChildState.READY else None

    def pool_of(self, name: str) -> list[int]:
        """Return the pids of a worker's pool."""
        pid = self.pid(name)
        return [process.pid for process in processes.descendants([pid])] if pid else []

    def is_whole(self) -> bool:
        """Whether every process is ready."""
        return local.status(self.home.path, ask=False).is_ready

    def failed(self) -> list[str]:
        """Return the processes that are not started any more."""
        return [name for name, child in self.children().items() if child.state is ChildState.FAILED]

    def wait_until_whole(self, seconds: float) -> bool:
        """Wait until every process is ready; tell whether that came true in time."""
        return holds_within(self.is_whole, seconds)

    # --- what is done to it, and with it

    def send(self, name: str, number: int) -> None:
        """Send a signal to the whole group of a process, if it is there."""
        pid = self.pid(name)
        if pid is not None:
            signal_group(pid, number)

    def supervisor(self) -> int:
        """Return the supervisor's pid."""
        record = self.home.read_record()
        assert record is not None
        return record.pid

    def execute(self, statement: str) -> None:
        """Run a statement in Postgres."""
        with psycopg.connect(self.services["DATABASE_URL"], autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement)  # type: ignore[call-overload]  # of ours

    def mobius(self, *args: str, output: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start the command line."""
        env = {**self._environ(), **self.services, "MOBIUS_HOME": str(self.home.path)}
        argv = [sys.executable, "-m", "worker.cli.main", *args]
        return subprocess.Popen(
            argv, cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def make_key(self) -> str:
        """Return a new key of the API."""
        text, _ = self.mobius("keys", "create", "--json").communicate(timeout=120)
        return str(json.loads(text)["key"])


def _twin(spec: local.ChildSpec, mark: str) -> local.ChildSpec:
    words = tuple(_second(word, mark) for word in spec.argv)
    return replace(spec, name=f"{spec.name}-2", argv=words)


def _second(word: str, mark: str) -> str:
    if mark and word.startswith(mark):  # a node's name
        return f"{mark[:-1]}-2@{word.removeprefix(mark)}"
    return f"{word}-2" if mark and word.endswith(mark) else word


def signal_group(pid: int, number: int) -> None:
    """Send a signal to a session's leader and all in its group; one that is gone is fine."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def holds_within(claim: Callable[[], bool], seconds: float) -> bool:
    """Wait until a claim holds; tell whether that came true in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
