"""The embedded stack that is put under fire: the real supervisor, its services, and a crew with a wire to the index.

A service's address is a ``KeyError`` while no supervisor runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import redis
from chaos.acts import holds_within, signal_group
from chaos.crew import crew, environment
from chaos.provider import Provider
from chaos.stores import Reader
from chaos.wire import Wire
from harness.servers import free_port

from worker import local
from worker.local.processes import descendants
from worker.local.state import Home

#: What goes wrong with a deed of ours when an earlier fault is in its way.
IN_THE_WAY = (psycopg.Error, redis.RedisError, KeyError)


@dataclass
class Stack:
    """One stack from ``start`` to ``end``; ``settings`` are MOBIUS_ variables of its processes."""

    directory: Path
    provider: Provider
    settings: dict[str, str]
    ports: local.ServicePorts = field(
        default_factory=lambda: local.ServicePorts(postgres=free_port(), redis=free_port(), qdrant=free_port())
    )

    #: Whether Qdrant has lost what it had acknowledged, and no reconciliation has mended it yet.
    lacks_points: bool = False
    #: Points that a reconciliation has mended although no fault had taken them away.
    mended_besides: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = Home.at(self.directory / "home")
        self.wire = Wire(f"http://127.0.0.1:{self.ports.qdrant}")
        self._fleet_ports = free_port(), free_port()

    def start(self) -> None:
        """Bring everything up; also what a supervisor that was killed left."""
        self.home.prepare()
        table = crew(self.home, *self._fleet_ports, self.wire.url)
        local.up(self.home.path, self._environ(), report=lambda _: None, ports=self.ports, table=table, timeout=240)

    def end(self) -> None:
        """End every process."""
        local.down(self.home.path, report=lambda _: None)
        self.wire.close()

    def _environ(self) -> dict[str, str]:
        return environment(self.provider.url, self.settings)

    # --- what it says

    @property
    def services(self) -> dict[str, str]:
        """The services' addresses."""
        return local.service_environment(self.home.path)

    @property
    def user_environment(self) -> dict[str, str]:
        """What a user of this stack has in the environment."""
        return {**self._environ(), **self.services, "MOBIUS_HOME": str(self.home.path)}

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

    @property
    def client(self) -> redis.Redis:
        """A client of the queues."""
        return redis.Redis.from_url(self.services["REDIS_URL"], socket_timeout=5)

    def children(self) -> dict[str, local.ChildStatus]:
        """Return every process of the stack."""
        return {child.name: child for child in local.status(self.home.path, ask=False).children}

    def pid(self, name: str) -> int | None:
        """Return the pid of a process that is ready; None of any other."""
        child = self.children().get(name)
        return child.pid if child is not None and child.state is local.ChildState.READY else None

    def pool_of(self, name: str) -> list[int]:
        """Return the pids of a worker's pool."""
        pid = self.pid(name)
        return [process.pid for process in descendants([pid])] if pid else []

    def busy_worker(self, among: Sequence[str]) -> str | None:
        """Return one of these workers that holds a slice now."""
        found = self.reader().rows("SELECT worker FROM slices WHERE state = 'running' ORDER BY id")
        pids = {int(row["worker"].rpartition(":")[2]) for row in found}
        return next((name for name in among if pids.intersection(self.pool_of(name))), None)

    def is_whole(self) -> bool:
        """Whether every process is ready."""
        return local.status(self.home.path, ask=False).is_ready

    def failed(self) -> list[str]:
        """Return the processes that are not started any more."""
        return [name for name, child in self.children().items() if child.state is local.ChildState.FAILED]

    def wait_until_whole(self, seconds: float) -> bool:
        """Wait until every process is ready; tell whether that came true in time."""
        return holds_within(self.is_whole, seconds)

    # --- what is done to it

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
            connection.execute(statement)  # of ours
