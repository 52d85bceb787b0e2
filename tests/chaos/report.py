"""What a run came to: a table of the kinds of fault, the counts of every breach, and the same as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from chaos.facts import Breach, Violation
from chaos.watch import Strike


@dataclass(frozen=True, slots=True)
class Result:
    """One run. ``facts`` are figures about it, by what they count."""

    seed: int
    facts: Mapping[str, float]
    strikes: Sequence[Strike]
    violations: Sequence[Violation]
    #: Seconds that a single fault may take to recover from; None holds nobody to it.
    bound: float | None = None

    @property
    def slow(self) -> list[Strike]:
        """Return the single faults that took longer to recover from than they may."""
        singles = [strike for strike in self.strikes if strike.is_single]
        return [strike for strike in singles if self.bound is not None and (strike.recovery or 0.0) > self.bound]

    @property
    def has_survived(self) -> bool:
        """Whether every promise was kept."""
        return not (self.violations or self.slow or any(strike.recovered_at is None for strike in self.strikes))


def as_json(result: Result) -> str:
    """Return all of it."""
    return json.dumps(
        {
            "seed": result.seed,
            "has_survived": result.has_survived,
            "facts": dict(result.facts),
            "kinds": [dict(zip(_COLUMNS, row, strict=True)) for row in _rows(result.strikes)],
            "breaches": _counts(result),
            "violations": [asdict(violation) for violation in result.violations],
            "slow": [strike.kind for strike in result.slow],
        },
        indent=1,
    )


_COLUMNS = ("fault", "injected", "survived", "single", "slowest recovery (s)")


def as_text(result: Result) -> str:
    """Return the table, the counts, and what proves each breach."""
    rows = [_COLUMNS, *(tuple(map(_cell, row)) for row in _rows(result.strikes))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    facts = [f"{count:g} {what}" for what, count in result.facts.items()]
    breaches = [f"{count} {breach}" for breach, count in _counts(result).items()]
    proof = [f"  {violation.breach}: {violation.what}" for violation in result.violations]
    proof += [f"  slow: {strike.kind} took {strike.recovery:.1f} s to recover from" for strike in result.slow]
    proof += [f"  never recovered: {strike.kind}" for strike in result.strikes if strike.recovered_at is None]
    verdict = "survived" if result.has_survived else f"NOT survived; the same again: SEED={result.seed}"
    return "\n".join(
        [*table, "", f"seed {result.seed}: {'; '.join(facts)}", f"breaches: {', '.join(breaches)}", *proof, verdict]
    )


def _rows(strikes: Sequence[Strike]) -> list[tuple[str, int, int, int, float | None]]:
    found = []
    for kind in dict.fromkeys(strike.kind for strike in strikes):
        ours = [strike for strike in strikes if strike.kind == kind]
        survived = sum(strike.recovered_at is not None for strike in ours)
        singles = [strike.recovery for strike in ours if strike.is_single and strike.recovery is not None]
        found.append((kind, len(ours), survived, len(singles), round(max(singles), 1) if singles else None))
    return sorted(found)


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _counts(result: Result) -> dict[str, int]:
    counts = Counter(violation.breach for violation in result.violations)
    return {breach.value: counts[breach] for breach in Breach}
