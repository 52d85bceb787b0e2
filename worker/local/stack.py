"""Bring the local stack up, take it down, and say what runs.

The lock decides who may start a supervisor. `up` takes it, prepares everything that can fail with a message, and hands
the lock over to the supervisor that it starts; whoever comes second waits for the same stack. Nothing here has to
survive: the caller may be killed at any moment.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from worker.local import launch, leftovers, probes, processes
from worker.local.errors import StackError
from worker.local.fleet import FleetOptions
from worker.local.lifecycle import ChildState, Phase
from worker.local.specs import ChildSpec
from worker.local.state import ChildRecord, Home, StackRecord
from worker.local.waiting import Report, Wait, why_it_ended

#: How often the state file and the lock are looked at (seconds).
_POLL_SECONDS = 0.03
#: For a supervisor that was killed to be gone (seconds).
_KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """One process as an operator sees it. ``url`` has no password in it; ``message`` says what went wrong last."""

    name: str
    state: ChildState
    pid: int | None
    url: str
    restarts: int
    message: str
    log: str


@dataclass(frozen=True, slots=True)
class StackStatus:
    """What runs. ``children`` are empty while `up` is still preparing."""

    home: Path
    phase: Phase
    children: tuple[ChildStatus, ...]

    @property
    def is_running(self) -> bool:
        """Whether a supervisor is there, whatever the state of its children."""
        return self.phase in (Phase.STARTING, Phase.RUNNING, Phase.STOPPING)

    @property
    def is_ready(self) -> bool:
        """Whether everything that belongs to the stack is ready."""
        good = (ChildState.READY, ChildState.EXTERNAL)
        return self.phase is Phase.RUNNING and all(child.state in good for child in self.children)


def up(
    home: Path,
    environ: Mapping[str, str],
    *,
    report: Report,
    timeout: float = 120.0,
    services_only: bool = False,
    fleet: FleetOptions | None = None,
    ports: launch.ServicePorts | None = None,
    table: Sequence[ChildSpec] | None = None,
) -> StackStatus:
    """Start the stack, or find the running one, and return when all of it is ready.

    A service whose URL stands in ``environ`` is used instead of a local one. ``services_only`` leaves out our own
    processes but the migration. ``table`` replaces our own processes, migration included.

    Raises:
        StackError: Something cannot start (then nothing is left running), or is not ready in ``timeout`` seconds
            (then it goes on starting).
    """
    place = Home.at(home)
    place.prepare()
    wish = launch.Wish(services_only, fleet or FleetOptions(), ports or launch.ServicePorts(), table)
    wait = Wait(place, report, time.monotonic() + timeout, services_only=services_only)
    launched = False
    while True:
        if (lock := place.try_lock()) is not None:
            try:
                if launched:
                    raise why_it_ended(place)
                if leftovers.end_leftovers(place):
                    report("Ended what an earlier stack had left running.")
                place.stack.unlink(missing_ok=True)
                launch.launch(place, environ, wish, lock)
                launched = True
            finally:
                os.close(lock)
        if (record := wait.for_record()) is not None:
            return _status_of(place, record)


def down(home: Path, *, report: Report, timeout: float = 90.0) -> bool:
    """End the stack and everything that it started; tell whether there was anything to end.

    Raises:
        StackError: It is still there after ``timeout`` seconds and cannot be killed.
    """
    place = Home.at(home)
    deadline = time.monotonic() + timeout
    told: set[int] = set()
    while place.is_locked():
        if time.monotonic() >= deadline:
            _kill_supervisor(place, report)
            break
        record = place.read_record()
        # Somebody may be starting it this very moment: then there is nobody to tell yet.
        if record is not None and record.is_current and record.pid not in told:
            report("Ending the local stack.")
            told.add(record.pid)
            processes.send(processes.Process(record.pid, record.started), signal.SIGTERM)
        time.sleep(_POLL_SECONDS)
    return _sweep(place) or bool(told)


def purge(home: Path) -> None:
    """Delete the data, passwords and logs of a stack that is down.

    Raises:
        StackError: It runs, or a file cannot be deleted.
    """
    place = Home.at(home)
    if not place.path.is_dir():
        return
    lock = place.try_lock()
    if lock is None:
        raise StackError(f"The local stack in {place.path} is running: end it with `mobius down` first.")
    try:
        leftovers.end_leftovers(place)
        for name in launch.OWNED:
            for path in place.path.glob(name):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    except OSError as exc:
        raise StackError(f"{exc}: delete it yourself; the rest may be gone already.") from exc
    finally:
        os.close(lock)


def status(home: Path, *, ask: bool = True) -> StackStatus:
    """Say what runs. Services of the operator's own are asked whether they answer, unless ``ask`` is False."""
    place = Home.at(home)
    record = place.read_record()
    if record is not None and record.is_current:
        return _status_of(place, record, ask=ask)
    if place.is_locked():
        return StackStatus(place.path, Phase.STARTING, ())
    if record is None:
        return StackStatus(place.path, Phase.STOPPED, ())
    gone = tuple(_after_the_end(child) for child in record.children)
    phase = Phase.FAILED if record.phase is Phase.FAILED else Phase.STOPPED
    return _status_of(place, replace(record, phase=phase, children=gone), ask=ask)


def service_environment(home: Path) -> dict[str, str]:
    """Return DATABASE_URL, REDIS_URL, QDRANT_URL and QDRANT_API_KEY of the running stack; empty if none runs."""
    record = Home.at(home).read_record()
    if record is None or not record.is_current or record.phase is Phase.STOPPING:
        return {}
    return {name: value for name, value in record.environment.items() if name in launch.SERVICE_VARIABLES}


def _status_of(place: Home, record: StackRecord, *, ask: bool = True) -> StackStatus:
    children = tuple(_child_status(child, record.environment, ask=ask) for child in record.children)
    return StackStatus(place.path, record.phase, children)


def _child_status(child: ChildRecord, environment: Mapping[str, str], *, ask: bool) -> ChildStatus:
    message = child.message
    is_theirs = child.state is ChildState.EXTERNAL
    if ask and is_theirs and probes.answers(environment[launch.VARIABLES[child.name]]) is False:
        message = "does not answer"
    return ChildStatus(child.name, child.state, child.pid, child.url, child.restarts, message, child.log)


def _after_the_end(child: ChildRecord) -> ChildRecord:
    kept = (ChildState.FAILED, ChildState.EXTERNAL)
    return replace(child, pid=None, state=child.state if child.state in kept else ChildState.STOPPED)


def _kill_supervisor(place: Home, report: Report) -> None:
    record = place.read_record()
    if record is not None and record.is_current:
        report("The supervisor does not end in time and is killed.")
        supervisor = processes.Process(record.pid, record.started)
        processes.end({supervisor: signal.SIGKILL}, _KILL_SECONDS)
    if place.is_locked():
        raise StackError(
            f"The local stack in {place.path} is held by a process that cannot be ended from here: look who has "
            f"{place.lock} open (fuser), perhaps in another container, and end it there."
        )


def _sweep(place: Home) -> bool:
    try:
        lock = place.try_lock()
    except (FileNotFoundError, NotADirectoryError):  # the home was never made, or deleted under a running stack
        return leftovers.end_leftovers(place) > 0
    if lock is None:  # somebody has started it anew
        return False
    try:
        return leftovers.end_leftovers(place) > 0
    finally:
        os.close(lock)
