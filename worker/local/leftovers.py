"""End what a supervisor that was killed left running, so that the next one starts on a clean machine.

Call it with the lock held: then no supervisor has a right to live, and whatever carries the stack's mark is a leftover.
"""

from __future__ import annotations

import signal

from worker.local import postgres, processes
from worker.local.processes import Process
from worker.local.state import Home

#: The module that the supervisor runs as.
SUPERVISOR = "worker.local.supervisor"

#: Leftovers were told to end when their supervisor died; no more patience than this (seconds).
_MAX_GRACE_SECONDS = 30.0
#: For processes of which nothing is recorded (seconds).
_DEFAULT_GRACE_SECONDS = 3.0


def end_leftovers(home: Home) -> int:
    """End every process of this stack; return how many there were."""
    # One whose lock was deleted under it, with the whole home perhaps, goes first: it would restart the others.
    supervisors = dict.fromkeys(_supervisors(home), signal.SIGTERM)
    processes.end(supervisors, _MAX_GRACE_SECONDS)
    victims, grace = _recorded(home)
    marked = processes.marked(home.stack_id)
    family = {process.pid for process in (*marked, *victims)}
    # A worker ends its pool itself: only the tops of trees get a signal first.
    victims = {process: signal.SIGTERM for process in marked if process.parent not in family} | victims
    if victims:
        processes.end(victims, min(grace, _MAX_GRACE_SECONDS))
    postgres.end_leftover(postgres.data_directory(home))
    return len({*supervisors, *marked, *victims})


def _supervisors(home: Home) -> list[Process]:
    words = (SUPERVISOR, str(home.path))
    return [process for process in processes.everyone() if all(processes.has_argument(process.pid, w) for w in words)]


def _recorded(home: Home) -> tuple[dict[Process, int], float]:
    record = home.read_record()
    if record is None or record.boot != processes.boot_id():
        return {}, _DEFAULT_GRACE_SECONDS
    found: dict[Process, int] = {}
    graces: list[float] = []
    for child in record.children:
        process = Process(child.pid or 0, child.started)
        if child.pid and processes.is_alive(process):
            found[process] = child.stop_signal
            graces.append(child.grace_seconds)
    return found, max(graces, default=_DEFAULT_GRACE_SECONDS)
