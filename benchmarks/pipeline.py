"""The pipeline as it is deployed: the local stack's own commands for dispatcher and workers, as real processes.

Whatever takes no part in taking files in (beat, Flower, API) is left out. The time of a case is that of the command
``mobius ingest TREE``, from its start until it returns with everything indexed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.local.fleet import FleetOptions, specs
from worker.local.state import Home

CHECKOUT = Path(__file__).resolve().parent.parent
PROJECT = "bench"
_WARM_UP = "warm-up"
_TAKE_PART = ("dispatcher", "worker-")
#: What a process logs when it works.
_READY = {"dispatcher": "dispatcher_started"}
_WORKER_READY = " ready."
_START_SECONDS = 60.0
#: Documents that warm a process up; each is a slice of its own.
_WARM_DOCUMENTS = 4


@dataclass(frozen=True)
class Ingested:
    """One run of the command: its report, wall seconds, CPU seconds and peak memory (MB)."""

    report: dict[str, Any]
    seconds: float
    cpu: float
    peak_mb: float


@dataclass
class Fleet:
    """Running processes of the product. ``pids`` are the roots of their trees by name."""

    environment: Mapping[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def pids(self) -> dict[str, int]:
        """The processes' ids by their names in the local stack."""
        return {name: process.pid for name, process in self.processes.items()}

    def ingest(self, tree: Path, project: str = PROJECT, **extra: str) -> Ingested:
        """Run ``mobius ingest``.

        Raises:
            SystemExit: It fails.
        """
        argv = [sys.executable, "-m", "worker.cli.main", "ingest", str(tree), "--project", project, "--json"]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            began = time.monotonic()
            process = subprocess.Popen(
                argv, cwd=CHECKOUT, env={**self.environment, **extra}, stdout=out, stderr=err, start_new_session=True
            )
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                process.kill()
                process.wait()
                raise
            seconds = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            # 3 says that some documents failed; the report counts them.
            if process.returncode not in {0, 3}:
                raise SystemExit(f"benchmarks: mobius ingest failed:\n{err.read().decode(errors='replace')}")
            report: dict[str, Any] = json.loads(out.read())
        return Ingested(report, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)

    def warm_up(self, processes: int) -> None:
        """Have every process do some work, so that none measures its first imports and connections."""
        with tempfile.TemporaryDirectory() as place:
            for number in range(_WARM_DOCUMENTS * processes):
                Path(place, f"warm_{number}.py").write_text(f"def warm_{number}():\n    return {number}\n")
            self.ingest(Path(place), _WARM_UP, MOBIUS_SLICE_DOCUMENTS="1")

    def stage_cpu(self) -> dict[str, float]:
        """Return the CPU seconds that the stages have logged so far."""
        spent: dict[str, float] = {}
        for log in self.logs.glob("worker-*.log"):
            for line in log.read_text("utf-8", "replace").splitlines():
                if '"stage_finished"' in line:
                    record = json.loads(line)
                    spent[record["stage"]] = spent.get(record["stage"], 0.0) + record["cpu_seconds"]
        return spent

    def start(self, name: str, argv: tuple[str, ...]) -> None:
        """Start a process in a session of its own."""
        with self._log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                argv, cwd=CHECKOUT, env=dict(self.environment), stdout=log, stderr=log, start_new_session=True
            )

    def wait_until_ready(self) -> None:
        """Return when every process works.

        Raises:
            SystemExit: One does not.
        """
        deadline = time.monotonic() + _START_SECONDS
        for name, process in self.processes.items():
            while _READY.get(name, _WORKER_READY) not in (said := self._log(name).read_text("utf-8", "replace")):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"benchmarks: {name} does not start; it says:\n{said[-2000:]}")
                time.sleep(0.05)

    def stop(self) -> None:
        """End all processes at once: everything that they could still finish is dropped anyway."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


@contextlib.contextmanager
def running_fleet(environment: Mapping[str, str], place: Path, cpu: int, io: int) -> Iterator[Fleet]:
    """Start dispatcher and workers, ``cpu`` processes for parse and chunk and ``io`` for embed and upsert; warm."""
    place.mkdir()
    fleet = Fleet(environment, place)
    try:
        for spec in specs(Home.at(place), FleetOptions(cpu, io), flower_port=0, api_port=0, services=()):
            if spec.name.startswith(_TAKE_PART):
                fleet.start(spec.name, spec.argv)
        fleet.wait_until_ready()
        fleet.warm_up(max(cpu, io))
        yield fleet
    finally:
        fleet.stop()
