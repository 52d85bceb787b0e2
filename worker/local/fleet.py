"""Say which of our own processes the local stack runs: migration, dispatcher, workers, beat, Flower
and the API.

They are ordinary commands with ordinary arguments, the same that a production deployment would start.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass

from tasks.queues import CONTROL, CPU_QUEUES, IO_QUEUES
from worker.local.ports import LOOPBACK
from worker.local.specs import ChildSpec, Probe, ProbeKind
from worker.local.state import Home

MIGRATION = "migrate"
FLOWER = "flower"
API = "api"

_CELERY = (sys.executable, "-m", "celery", "-A", "worker.app")
#: What a Celery worker logs when it takes tasks; without that line it counts as ready after a while (seconds).
_WORKER_READY = Probe(ProbeKind.LOG, text=" ready.", seconds=5.0)
#: Processes that announce nothing count as ready when they got over their imports and first connections (seconds).
_SETTLED = Probe(ProbeKind.ALIVE, seconds=1.5)
#: A worker that is told to end finishes its task first; what it cannot finish in time is done again elsewhere (s).
_WORKER_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How large the fleet is. The ports: None or 0 picks a free one."""

    cpu_concurrency: int = 2
    io_concurrency: int = 2
    flower_port: int | None = None
    api_port: int | None = None


def migration(depends_on: Collection[str]) -> ChildSpec:
    """Return the command that brings the database's schema up to date."""
    code = "import os; from models.schema import upgrade; upgrade(os.environ['DATABASE_URL'])"
    return ChildSpec(
        name=MIGRATION,
        argv=(sys.executable, "-c", code),
        probe=Probe(ProbeKind.ALIVE),
        one_shot=True,
        depends_on=tuple(depends_on),
    )


def specs(
    home: Home, options: FleetOptions, flower_port: int, api_port: int, services: Collection[str]
) -> tuple[ChildSpec, ...]:
    """Return our long-running processes; all need the migration and every service in ``services``."""
    needs = (MIGRATION, *services)
    dispatcher = ChildSpec("dispatcher", (sys.executable, "-m", "worker.dispatcher"), _SETTLED, depends_on=needs)
    return (
        dispatcher,
        _worker("cpu", CPU_QUEUES, options.cpu_concurrency, needs),
        _worker("io", IO_QUEUES, options.io_concurrency, needs),
        _worker("control", (CONTROL,), 1, needs),
        _beat(home, needs),
        _flower(home, flower_port, needs),
        _api(api_port, needs),
    )


def _worker(name: str, queues: Collection[str], concurrency: int, needs: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        name=f"worker-{name}",
        # Gossip and mingle are talk among workers that nothing here needs; it delays their start by a second.
        argv=(
            *(*_CELERY, "worker", "--without-gossip", "--without-mingle"),
            *("-n", f"{name}@%h", "-Q", ",".join(queues), "--concurrency", str(concurrency)),
        ),
        probe=_WORKER_READY,
        depends_on=needs,
        grace_seconds=_WORKER_GRACE_SECONDS,
    )


def _beat(home: Home, needs: tuple[str, ...]) -> ChildSpec:
    schedule = home.path / "celerybeat-schedule"
    # No pid file: a stale one would keep beat from starting, and the supervisor runs only one anyway.
    return ChildSpec(
        name="beat",
        argv=(*_CELERY, "beat", "--schedule", str(schedule), "--pidfile="),
        probe=_SETTLED,
        depends_on=needs,
    )


def _flower(home: Home, port: int, needs: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        name=FLOWER,
        argv=(*_CELERY, "flower", f"--address={LOOPBACK}", f"--port={port}", "--read-only"),
        # Flower 2.2 reads every option from the environment too; arguments would show the password to everyone.
        env={"FLOWER_BASIC_AUTH": f"mobius:{home.secret(FLOWER)}"},
        probe=Probe(ProbeKind.HTTP, port=port, text="/healthcheck"),
        depends_on=needs,
        url=f"http://mobius:{home.secret(FLOWER)}@{LOOPBACK}:{port}",
    )


def _api(port: int, needs: tuple[str, ...]) -> ChildSpec:
    return ChildSpec(
        name=API,
        argv=(sys.executable, "-m", "worker.cli.main", "api", "--host", LOOPBACK, "--port", str(port)),
        probe=Probe(ProbeKind.HTTP, port=port, text="/health/live"),
        depends_on=needs,
        url=f"http://{LOOPBACK}:{port}",
    )
