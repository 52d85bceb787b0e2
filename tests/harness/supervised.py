"""The members of `mobius up`, under its supervisor, beside an arena whose services are the session's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from harness.arena import Arena
from harness.members import wait_until, without_coverage
from harness.servers import free_port

from worker import local
from worker.local import ChildSpec, ChildState, FleetOptions, fleet
from worker.local.state import Home

SERVICES = ("postgres", "redis", "qdrant")


@dataclass
class Stack:
    """The members of `mobius up` beside an arena, and the ports of Flower and the API."""

    arena: Arena
    home: Home
    table: Sequence[ChildSpec]
    flower: int
    api: int

    def up(self) -> None:
        """Start it; also after its supervisor was killed."""
        environ = without_coverage(self.arena.env)
        local.up(self.home.path, environ, report=print, table=self.table, timeout=240)

    def pids(self) -> dict[str, int]:
        """Return the pid of every member that is ready."""
        children = local.status(self.home.path, ask=False).children
        return {child.name: child.pid for child in children if child.pid and child.state is ChildState.READY}

    def accept_and_wait_until_busy(self, path: str, content: str) -> None:
        """Have a run in flight: a worker waits for the provider."""
        self.arena.accept({path: content})
        embedding = "SELECT 1 FROM slices WHERE stage = 'embed' AND state = 'running'"
        wait_until(lambda: bool(self.arena.reader().rows(embedding)), "the run is in flight")

    def changed(self, before: dict[str, int]) -> set[str]:
        """Return who is another process than before."""
        return {name for name, pid in self.pids().items() if before[name] != pid}

    def supervisor(self) -> int:
        """Return the supervisor's pid."""
        record = self.home.read_record()
        assert record is not None
        return record.pid

    @property
    def is_running(self) -> bool:
        """Whether a supervisor is there."""
        return local.status(self.home.path, ask=False).is_running


@contextmanager
def supervised(arena: Arena) -> Iterator[Stack]:
    """Have the members, one process a pool, until the block ends."""
    home, flower, api = Home.at(arena.home), free_port(), free_port()
    home.prepare()
    ours = fleet.specs(home, FleetOptions(1, 1), flower, api, SERVICES)
    made = Stack(arena, home, [fleet.migration(["postgres"]), *ours], flower, api)
    try:
        made.up()
        yield made
    finally:
        local.down(home.path, report=print)
