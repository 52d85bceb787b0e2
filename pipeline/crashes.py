"""Decide whether the end of a worker process says anything about the document that it was at.

A process that fails leaves evidence: a fault signal, an exit code of its own, its hard time limit. A process that is
killed leaves none: whoever sends SIGKILL, the document had no part in it that anybody could prove. Only evidence
counts as an attempt, so a document can be given up on for what it did, and never for what was done to its worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from signal import Signals

#: What the kernel or the C library sends to a process for a fault of its own.
_FAULTS = frozenset(
    {
        Signals.SIGSEGV,
        Signals.SIGBUS,
        Signals.SIGILL,
        Signals.SIGFPE,
        Signals.SIGABRT,
        Signals.SIGSYS,
        Signals.SIGTRAP,
        Signals.SIGXCPU,
    }
)
#: Exit codes of an orderly end: done, SIGTERM (a handler turns it into its number), a second one, a replaced process.
_ORDERLY = frozenset({0, int(Signals.SIGTERM), 70, 155})


@dataclass(frozen=True, slots=True)
class Crash:
    """How a worker process ended in the middle of a stage. ``trace``: where it was, as far as that is known."""

    error: str
    message: str
    trace: str
    is_evidence: bool


def killed_by(number: int, trace: str = "", *, out_of_memory: bool = False) -> Crash:
    """Judge an end by signal; ``out_of_memory``: the kernel freed memory in the worker's own cgroup meanwhile."""
    name = _name_of(number)
    if number in _FAULTS:
        return Crash("ProcessCrashed", f"the worker process crashed with {name}", trace, is_evidence=True)
    if out_of_memory and number == Signals.SIGKILL:
        message = "the kernel killed the worker process because its memory limit was reached"
        return Crash("OutOfMemory", message, trace, is_evidence=True)
    return Crash("ProcessKilled", f"the worker process was killed from outside with {name}", trace, is_evidence=False)


def exited_with(code: int, trace: str = "") -> Crash:
    """Judge an end by exit code."""
    if code in _ORDERLY:
        return Crash("ProcessKilled", f"the worker process was ended (exit code {code})", trace, is_evidence=False)
    return Crash("ProcessExited", f"the worker process ended itself with exit code {code}", trace, is_evidence=True)


def ran_out_of_time(seconds: float, trace: str = "") -> Crash:
    """Judge an end by the hard time limit."""
    message = f"the stage did not end within its hard limit of {seconds:g} s"
    return Crash("TimeLimitExceeded", message, trace, is_evidence=True)


def _name_of(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
