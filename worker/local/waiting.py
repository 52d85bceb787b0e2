"""Wait for a stack that somebody starts, whoever it is, and say what keeps it from being ready."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence

from worker.local import logs, processes
from worker.local.errors import StackError
from worker.local.lifecycle import ChildState, Phase
from worker.local.state import ChildRecord, Home, StackRecord

#: How often the state file and the lock are looked at (seconds).
_POLL_SECONDS = 0.03

Report = Callable[[str], None]


class Wait:
    """One caller's wait for a stack that it or somebody else started."""

    def __init__(self, place: Home, report: Report, deadline: float, *, services_only: bool) -> None:
        self._place = place
        self._report = report
        self._deadline = deadline
        self._services_only = services_only
        self._reported: set[str] = set()
        #: The count of revivals that our request brings; None before we asked.
        self._revival: int | None = None

    def for_record(self) -> StackRecord | None:
        """Return the record of the stack once all of it is ready; None when there is no stack to wait for.

        Raises:
            StackError: It is not ready in time, something of it fails again and again, or it is not what was asked for.
        """
        while True:
            record = self._place.read_record()
            if record is not None and record.is_current and record.phase in (Phase.STARTING, Phase.RUNNING):
                self._tell(record)
                if self._is_settled(record):
                    return record
            elif not self._place.is_locked():
                return None
            if time.monotonic() >= self._deadline:
                raise self._too_late(record)
            time.sleep(_POLL_SECONDS)

    def _tell(self, record: StackRecord) -> None:
        if record.services_only and not self._services_only:
            raise StackError(
                f"Only the services of the local stack in {self._place.path} are running: end them with `mobius down`, "
                f"then start all of it."
            )
        for child in record.children:
            if child.state is ChildState.READY and child.name not in self._reported:
                self._reported.add(child.name)
                self._report(f"{child.name} is ready{f' at {child.url}' if child.url else ''}")

    def _is_settled(self, record: StackRecord) -> bool:
        failed = [child for child in record.children if child.state is ChildState.FAILED]
        if record.phase is Phase.RUNNING and failed:
            if self._revival is None:
                self._report(f"Trying {', '.join(child.name for child in failed)} again.")
                self._revival = record.revivals + 1
                processes.send(processes.Process(record.pid, record.started), signal.SIGHUP)
            elif record.revivals >= self._revival:
                raise StackError(describe_failed(failed))
            return False
        good = (ChildState.READY, ChildState.EXTERNAL)
        return record.phase is Phase.RUNNING and all(child.state in good for child in record.children)

    def _too_late(self, record: StackRecord | None) -> StackError:
        late = [c for c in record.children if c.state not in (ChildState.READY, ChildState.EXTERNAL)] if record else []
        names = "; ".join(f"{child.name} is {child.state} (log: {child.log})" for child in late)
        return StackError(
            f"The local stack is not ready in time: {names or 'it is still being prepared'}. It goes on starting; look "
            f"with `mobius status`, give up with `mobius down`."
        )


def why_it_ended(place: Home) -> StackError:
    """Return the error that says why a stack that was being started is gone."""
    record = place.read_record()
    if record is None:
        log = place.log("supervisor")
        return StackError(f"The supervisor of the local stack died at once; {log} ends with:\n{logs.tail(log)}")
    failed = [child for child in record.children if child.state is ChildState.FAILED]
    if failed:
        return StackError(describe_failed(failed))
    return StackError("The local stack was ended while it was starting; start it again with `mobius up`.")


def describe_failed(failed: Sequence[ChildRecord]) -> str:
    """Say what became of processes that failed, each with the end of its log."""
    return "\n".join(f"{child.name} {child.message}" for child in failed)
