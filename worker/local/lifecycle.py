"""Decide what a child's ending means, when it is tried again, and in which order children start and end.

Pure: times are monotonic seconds that the caller passes in. A child that ends without having lived ``STABLE_SECONDS``
counts a failure; ``MAX_FAILURES`` in a row are a crash loop, and nothing but the operator starts it again. One that
was ready and then killed did not fail by itself: it is started again however often that happens.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from worker.local.specs import ChildSpec

#: A child that lived this long starts again as if it had never failed (seconds).
STABLE_SECONDS = 60.0
#: Endings in a row that make a crash loop.
MAX_FAILURES = 5
#: The first wait before a restart; it doubles with every failure in a row (seconds).
BACKOFF_SECONDS = 0.25
#: No wait is longer (seconds).
BACKOFF_LIMIT_SECONDS = 30.0
#: Endings that somebody else brings about: an operator, the system when it is short of memory.
_KILLS = frozenset({-signal.SIGKILL, -signal.SIGTERM})


class ChildState(StrEnum):
    """What is true of a process of the stack. A one-shot command that ended well stays READY."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"
    EXTERNAL = "external"


class Phase(StrEnum):
    """What the stack as a whole does. FAILED: it did not come up, and everything was ended again."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Life:
    """A child's history as far as decisions need it. ``since``: when its latest process began."""

    state: ChildState = ChildState.STARTING
    restarts: int = 0
    failures: int = 0
    since: float = 0.0
    retry_at: float = 0.0
    message: str = ""


def backoff(failures: int) -> float:
    """Return the seconds to wait before a restart after ``failures`` (1 or more) in a row."""
    doublings = min(failures - 1, 16)
    return min(BACKOFF_SECONDS * 2.0**doublings, BACKOFF_LIMIT_SECONDS)


def begun(life: Life, now: float) -> Life:
    """Return the life of a child whose process was just started."""
    return replace(life, state=ChildState.STARTING, since=now, retry_at=0.0)


def became_ready(life: Life) -> Life:
    """Return the life of a child whose probe succeeded."""
    return replace(life, state=ChildState.READY, message="")


def ended(life: Life, code: int, now: float, *, one_shot: bool, stopping: bool) -> Life:
    """Return the life of a child whose process is gone. ``code`` is negative for a signal, as in subprocess."""
    if stopping:
        return life if life.state is ChildState.FAILED else replace(life, state=ChildState.STOPPED)
    if one_shot and code == 0:
        return became_ready(life)
    was_killed = life.state is ChildState.READY and code in _KILLS
    failures = 1 if was_killed or now - life.since >= STABLE_SECONDS else life.failures + 1
    said = describe_ending(code)
    if one_shot or failures >= MAX_FAILURES:
        times = "" if one_shot else f"; it ended {failures} times in a row and is not started again"
        return replace(life, state=ChildState.FAILED, failures=failures, message=said + times)
    return replace(
        life,
        state=ChildState.RESTARTING,
        restarts=life.restarts + 1,
        failures=failures,
        retry_at=now + backoff(failures),
        message=said,
    )


def revived(life: Life) -> Life:
    """Return the life of a failed child that the operator wants to be tried again; others stay as they are."""
    if life.state is not ChildState.FAILED:
        return life
    return replace(life, state=ChildState.RESTARTING, failures=0, retry_at=0.0, restarts=life.restarts + 1)


def describe_ending(code: int) -> str:
    """Say how a process ended."""
    return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def to_start(table: Iterable[ChildSpec], lives: Mapping[str, Life], alive: Set[str], now: float) -> list[ChildSpec]:
    """Return what can be started now: not running, wanted, its wait over, and all that it depends on ready."""
    waiting = (ChildState.STARTING, ChildState.RESTARTING)

    def is_due(spec: ChildSpec) -> bool:
        life = lives[spec.name]
        wanted = spec.name not in alive and life.state in waiting and life.retry_at <= now
        return wanted and all(lives[name].state is ChildState.READY for name in spec.depends_on if name in lives)

    return [spec for spec in table if is_due(spec)]


def to_stop(table: Iterable[ChildSpec], alive: Set[str]) -> list[str]:
    """Return the names of the running children that no other running child still needs."""
    needed = {name for spec in table if spec.name in alive for name in spec.depends_on}
    return [spec.name for spec in table if spec.name in alive and spec.name not in needed]


def is_up(lives: Mapping[str, Life]) -> bool:
    """Tell whether every child is ready."""
    return all(life.state is ChildState.READY for life in lives.values())
