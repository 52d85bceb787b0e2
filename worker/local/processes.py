"""Know processes by what cannot be mistaken: a pid together with its start time, or the mark in its environment.

A pid alone is a hint: the number is given away again. Start times count from boot, so a record also names the boot.
A zombie counts as gone: it holds no file, no port and no memory, and only its parent can remove it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

#: The variable that marks every process of a stack; its value is the stack's id.
MARK = "MOBIUS_STACK_ID"

_PROC = Path("/proc")
#: How often we look whether processes are gone (seconds).
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Process:
    """One process that was there. ``started``: clock ticks since boot."""

    pid: int
    started: int
    parent: int = field(default=0, compare=False)


def boot_id() -> str:
    """Return the id of this boot of the machine; another one means that no recorded process is alive."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """Return the process with this pid, or None if there is none or only a zombie."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:  # gone, or hidden from us
        return None
    # The name, in parentheses, may itself hold spaces and parentheses: fields are counted after the last one.
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    return Process(pid, started=int(fields[19]), parent=int(fields[1]))


def is_alive(process: Process) -> bool:
    """Tell whether this very process still runs."""
    found = find(process.pid)
    return found is not None and found.started == process.started


def send(process: Process, number: int) -> None:
    """Send a signal to this very process; one that is gone is fine."""
    if is_alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def everyone() -> Iterator[Process]:
    """Yield all processes but ourselves and zombies."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid() and (process := find(int(entry.name))):
            yield process


def descendants(roots: Iterable[int]) -> list[Process]:
    """Return the processes below these pids, the pids themselves not included."""
    children: dict[int, list[Process]] = {}
    for process in everyone():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    pending = list(roots)
    while pending:
        below = children.pop(pending.pop(), [])
        found += below
        pending += [process.pid for process in below]
    return found


def marked(stack_id: str) -> list[Process]:
    """Return the processes whose environment carries the mark of this stack, as far as we may read environments."""
    mark = f"{MARK}={stack_id}".encode()
    return [process for process in everyone() if mark in _read(process.pid, "environ").split(b"\0")]


def has_argument(pid: int, argument: str) -> bool:
    """Tell whether this process was started with exactly this argument."""
    return argument.encode() in _read(pid, "cmdline").split(b"\0")


def end(victims: Mapping[Process, int], grace: float) -> None:
    """End processes and all that they started: first each with its own signal, after ``grace`` seconds by SIGKILL."""
    # Found before anything is sent: the children of a dead process are nobody's we could name.
    family = dict.fromkeys([*victims, *descendants(process.pid for process in victims)])
    for process, number in victims.items():
        send(process, number)
    if not wait_gone(family, grace):
        for process in family:
            send(process, signal.SIGKILL)
        wait_gone(family, grace)


def wait_gone(processes: Iterable[Process], timeout: float) -> bool:
    """Wait until none of these runs any more; tell whether that came true in time (seconds)."""
    deadline = time.monotonic() + timeout
    remaining = [process for process in processes if is_alive(process)]
    while remaining and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        remaining = [process for process in remaining if is_alive(process)]
    return not remaining


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:  # gone meanwhile, or another user's
        return b""
