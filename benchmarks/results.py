"""What one case measured, and what a benchmark found: plain values that become JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

LIMIT = "limit"
ONE = "one process per pool"
DEFAULTS = "defaults"
COLD = "cold"
UNCHANGED = "unchanged"
EDITED = "1 % edited"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case left behind, read back from both stores. ``digest`` stands for all chunks and their places."""

    documents: int
    failed: int
    chunks: int
    points: int
    embeddings: int
    digest: str


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case of one side.

    ``stages`` are CPU seconds in the workers' stages, ``processes`` CPU seconds of whole process trees, the servers'
    included. ``peak_mb`` is the largest process of each tree. ``documents`` is what the case had to process.
    """

    side: str
    case: str
    seconds: float
    files: int
    bytes: int
    documents: int
    chunks: int
    calls: int
    messages: int
    statements: int | None
    transaction_statements: int | None
    stages: dict[str, float]
    processes: dict[str, float]
    peak_mb: dict[str, float]
    outcome: Outcome
    kinds: dict[str, int] = field(default_factory=dict)
    #: The wall seconds of all repetitions, in order.
    all_seconds: tuple[float, ...] = ()
    #: Seconds of this side's cold case over those of the limit.
    ratio: float | None = None

    @property
    def statements_per_document(self) -> float | None:
        """SQL statements that do work, by the documents that the case had to process."""
        return self.statements / self.documents if self.statements is not None and self.documents else None

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes, servers and the provider's stand-in included."""
        return sum(self.processes.values())


def median(results: Sequence[CaseResult]) -> CaseResult:
    """Return the repetition with the median wall time (the quicker one of the two in the middle)."""
    return sorted(results, key=lambda result: result.seconds)[(len(results) - 1) // 2]


def summarised(results: Sequence[CaseResult]) -> list[CaseResult]:
    """Return the median of every case's repetitions, in order, each with all wall times and its ratio."""
    groups: dict[tuple[str, str], list[CaseResult]] = {}
    for result in results:
        groups.setdefault((result.side, result.case), []).append(result)
    base = median(groups[LIMIT, COLD]).seconds
    summary = []
    for (_, case), group in groups.items():
        middle = median(group)
        seconds = tuple(round(result.seconds, 3) for result in group)
        ratio = round(middle.seconds / base, 3) if case == COLD else None
        summary.append(replace(middle, seconds=round(middle.seconds, 3), all_seconds=seconds, ratio=ratio))
    return summary
