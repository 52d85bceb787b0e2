"""A limiter in memory, for one process, with a clock that a test may set."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pipeline.budget import ProviderBudget, Turns, correct, denied, keep_quiet, known, reserve, seconds_of, whole
from pipeline.errors import IngestError


class MemoryLimiter:
    """Keeps the promises of ``pipeline.ports.Limiter`` for callers that share it.

    ``fault`` is raised by whatever may raise while it is set. ``granted`` are the calls that were reserved, as
    (microsecond of their turn, tokens). ``forget`` loses the state as an emptied store does.
    """

    def __init__(self, budget: ProviderBudget, clock: Callable[[], int] | None = None) -> None:
        self.fault: IngestError | None = None
        self.granted: list[tuple[int, int]] = []
        self._budget = budget
        self._clock = clock or (lambda: whole(time.monotonic()))
        self._turns: Turns | None = None
        self._lock = threading.Lock()

    def acquire(self, tokens: int, patience: float) -> float:
        """See the port."""
        self._answer()
        with self._lock:
            now, turns = self._look()
            self._turns, wait = reserve(turns, now, self._budget.cost(tokens), whole(patience))
            if wait > whole(patience):
                raise denied(wait)
            self.granted.append((now + wait, tokens))
        return seconds_of(wait)

    def settle(self, estimated: int, actual: int) -> None:
        """See the port."""
        with self._lock:
            if self._turns is not None:
                now, turns = self._look()
                self._turns = correct(turns, now, self._budget.token_cost(actual - estimated))

    def pause(self, seconds: float) -> None:
        """See the port."""
        with self._lock:
            now, turns = self._look()
            self._turns = keep_quiet(turns, now, whole(seconds))

    def paused(self) -> float:
        """See the port."""
        self._answer()
        with self._lock:
            now, turns = self._look()
            return seconds_of(max(0, turns.quiet - now))

    def close(self) -> None:
        """See the port."""

    def forget(self) -> None:
        """Lose everything."""
        with self._lock:
            self._turns = None

    def _look(self) -> tuple[int, Turns]:
        now = self._clock()
        return now, known(self._turns, now, self._budget.unknown_past())

    def _answer(self) -> None:
        if self.fault is not None:
            raise self.fault
