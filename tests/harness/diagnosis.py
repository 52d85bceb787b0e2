"""Read a diagnosis as a test needs it."""

from __future__ import annotations

from collections.abc import Iterable

from worker.doctor.findings import Finding, Status

_FINE = (Status.OK, Status.SKIPPED)


def by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
    """Return the findings by their names."""
    return {finding.name: finding for finding in findings}


def advised(findings: Iterable[Finding]) -> dict[str, str]:
    """Return what to do about each problem and warning, by its name."""
    return {finding.name: finding.advice for finding in findings if finding.status not in _FINE}
