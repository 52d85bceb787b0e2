"""What looks on while faults strike: the search is asked all the time, done documents are held against the index.

A service that does not answer is no violation here; what it answers must be right.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
from chaos.crew import PROJECT
from chaos.facts import Hit, Violation
from chaos.judge import indexed_in_vain, judge_answer
from chaos.stack import IN_THE_WAY, Stack
from chaos.stores import Reader
from chaos.trees import SourceTree

#: Seconds between two looks.
_PAUSE = 0.5
_SAMPLE = "SELECT id FROM documents WHERE state = 'indexed' ORDER BY random() LIMIT 3"
_UNAVAILABLE = (httpx.HTTPError, *IN_THE_WAY)


class Repeated(threading.Thread):
    """Does something again and again until it is stopped; what goes wrong in it is kept and raised at the end."""

    def __init__(self, act: Callable[[], None], pause: float = _PAUSE) -> None:
        super().__init__(daemon=True)
        self._act = act
        self._pause = pause
        self._over = threading.Event()
        self._error: Exception | None = None
        self.start()

    def run(self) -> None:
        """See `threading.Thread`."""
        while not self._over.wait(self._pause):
            try:
                self._act()
            except Exception as exc:  # noqa: BLE001  raised again where somebody waits for it
                self._error = exc
                return

    def stop(self) -> None:
        """Let it end, and raise what went wrong."""
        self._over.set()
        self.join(120)
        if self._error is not None:
            raise self._error


@dataclass
class Onlooker:
    """Asks the search and samples documents; ``answers`` and ``samples`` say how much it saw."""

    stack: Stack
    tree: SourceTree
    key: str
    rng: random.Random
    answers: int = 0
    refusals: int = 0
    samples: int = 0
    violations: list[Violation] = field(default_factory=list)

    def look(self) -> None:
        """Ask one question, and hold a few documents that are said to be done against the index."""
        try:
            self._search()
        except _UNAVAILABLE:
            self.refusals += 1
        try:
            self._sample(self.stack.reader())
        except _UNAVAILABLE:
            self.refusals += 1

    def _search(self) -> None:
        words = f"file_{self.rng.randrange(self.tree.count)}"
        reply = httpx.get(
            f"{self.stack.api_url}/api/v1/projects/{PROJECT}/search",
            params={"q": words, "limit": 50},
            headers={"X-API-Key": self.key},
            timeout=15,
        ).raise_for_status()
        hits = [Hit(hit["path"], hit["start_line"], hit["end_line"], hit["text"]) for hit in reply.json()["items"]]
        self.answers += 1
        self.violations += judge_answer(self.tree.history, hits)

    def _sample(self, reader: Reader) -> None:
        for row in reader.rows(_SAMPLE) if not self.stack.lacks_points else ():
            (before,) = reader.documents(row["id"])
            chunks = [chunk for chunk in reader.chunks(row["id"]) if not chunk.is_retired]
            points = reader.points_among([chunk.id for chunk in chunks])
            # Whatever changed while we looked is looked at another time.
            is_still = reader.documents(row["id"]) == [before] and not self.stack.lacks_points
            if is_still and before.state == "indexed":
                self.samples += 1
                self.violations += indexed_in_vain(before, chunks, points)


_FLIGHT = "SELECT id FROM slices WHERE state IN ('dispatched', 'running')"
_OPEN = "SELECT id FROM slices WHERE id = ANY(%s::uuid[]) AND state IN ('ready', 'dispatched', 'running')"


@dataclass
class Strike:
    """One fault that struck, and what it found in flight. Times are monotonic seconds."""

    kind: str
    at: float
    in_flight: set[str]
    is_outage: bool
    healed_at: float | None = None
    recovered_at: float | None = None
    #: Whether no other fault struck before it had recovered.
    is_single: bool = True

    @property
    def recovery(self) -> float | None:
        """Seconds until all that was in flight was done: from the healing on, where nothing could go on before."""
        if self.recovered_at is None or self.healed_at is None:
            return None
        return max(0.0, self.recovered_at - (self.healed_at if self.is_outage else self.at))


class Recovery:
    """Follows every strike until all slices that it found in flight are done and the stack is whole."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self.strikes: list[Strike] = []

    def strike(self, kind: str, *, is_outage: bool) -> Strike:
        """Note that a fault is about to strike."""
        made = Strike(kind, time.monotonic(), self._in_flight(), is_outage)
        with self._lock:
            for other in self.strikes:
                if other.recovered_at is None:
                    other.is_single = made.is_single = False
            self.strikes.append(made)
        return made

    def forget(self, strike: Strike) -> None:
        """Take back a fault that could not strike."""
        with self._lock:
            self.strikes.remove(strike)

    def look(self) -> None:
        """See what has recovered."""
        with self._lock:
            waiting = [strike for strike in self.strikes if strike.recovered_at is None]
        ids = sorted({key for strike in waiting for key in strike.in_flight})
        try:
            still_open = {str(row["id"]) for row in self._stack.reader().rows(_OPEN, ids)} if waiting else set()
        except IN_THE_WAY:
            return
        now, is_whole = time.monotonic(), self._stack.is_whole()
        for strike in waiting:
            strike.in_flight &= still_open
            if not strike.in_flight and is_whole and strike.healed_at is not None:
                strike.recovered_at = now

    def busy(self) -> bool:
        """Whether a worker has something in its hands."""
        return bool(self._in_flight())

    def _in_flight(self) -> set[str]:
        try:
            return {str(row["id"]) for row in self._stack.reader().rows(_FLIGHT)}
        except IN_THE_WAY:
            return set()
