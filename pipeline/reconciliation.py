"""What one pass over ledger and index found and mended, as it is stored, shown and returned by the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class DriftKind(StrEnum):
    """How a point and its chunk disagree.

    MISSING: a committed chunk without its point. ORPHAN: a point without a committed chunk. STALE: a point of another
    generation, text, embedding input, traits or scope than its chunk.
    """

    MISSING = "missing"
    ORPHAN = "orphan"
    STALE = "stale"


class ReconciliationState(StrEnum):
    """How a pass stands. REFUSED: it would have deleted too much. INTERRUPTED: its process died."""

    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(slots=True)
class PassCounts:
    """What a pass has counted so far.

    ``compared`` are committed chunks, ``scanned`` points. ``deferred`` could not be decided while a run was at work
    on their documents; the next pass looks again. ``failed`` are drifts that could not be mended.
    """

    compared: int = 0
    scanned: int = 0
    missing: int = 0
    orphan: int = 0
    stale: int = 0
    deferred: int = 0
    repaired: int = 0
    failed: int = 0

    @property
    def drifted(self) -> int:
        """All confirmed drifts."""
        return self.missing + self.orphan + self.stale

    @property
    def left(self) -> int:
        """The confirmed drifts that are still there."""
        return self.drifted - self.repaired

    def add(self, kind: DriftKind, number: int = 1) -> None:
        """Count confirmed drifts of a kind."""
        setattr(self, kind.value, getattr(self, kind.value) + number)


@dataclass(frozen=True, slots=True)
class PassReport:
    """How one pass ended. ``message`` says what is to be done, and is empty where nothing is."""

    reconciliation_id: UUID
    is_repair: bool
    state: ReconciliationState
    counts: PassCounts
    seconds: float
    message: str


@dataclass(frozen=True, slots=True)
class ReconciliationLine:
    """One pass in the list of passes. ``project`` is None for a pass over the whole index; ``seconds`` until now."""

    reconciliation_id: UUID
    project: str | None
    is_repair: bool
    state: ReconciliationState
    compared: int
    scanned: int
    drifted: int
    missing: int
    orphan: int
    stale: int
    deferred: int
    repaired: int
    failed: int
    message: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float
