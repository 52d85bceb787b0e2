"""Decide whether a server's clock differs too much from this machine's.

Leases are measured by Postgres' clock alone, so a wrong clock loses nothing. It lets beat's ticks expire unseen, and
makes times in logs, reports and retries wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.doctor.findings import Finding, ok, problem, warning


@dataclass(frozen=True, slots=True)
class Skew:
    """Seconds by which a clock is ahead of ours, and how far off that may be: half of the round trip."""

    seconds: float
    uncertainty: float


def judge_clock(name: str, skew: Skew, lease_seconds: float) -> Finding:
    """Judge a clock: a tenth of a lease is worth a look, half of one has to be mended."""
    certain = max(0.0, abs(skew.seconds) - skew.uncertainty)
    side = "ahead of" if skew.seconds > 0 else "behind"
    if certain < lease_seconds / 10:
        return ok(name, f"within {abs(skew.seconds) + skew.uncertainty:.2f} s of this machine's")
    judge = problem if certain >= lease_seconds / 2 else warning
    return judge(
        name,
        f"{abs(skew.seconds):.1f} s {side} this machine's",
        "run a time service (chrony, systemd-timesyncd) on both machines: with clocks apart, beat's ticks expire"
        " before they are taken, and times in logs and reports are wrong.",
    )
