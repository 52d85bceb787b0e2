"""``mobius doctor``: say what is wrong with services, settings and processes, and what to do about it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from worker.cli.names import JsonOption
from worker.cli.output import print_json, printable, result
from worker.doctor.findings import Finding, Status, is_well

#: Something must be mended.
EXIT_PROBLEM = 1


def doctor(
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes", min=1, help="Worker processes in all, over all replicas, for the budget of connections."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every service, setting and process, and say what to do. Exit code 1: there is a problem."""
    from worker.cli.environment import effective_environment  # noqa: PLC0415  the settings take 0.1 s to import
    from worker.doctor.examination import examine  # noqa: PLC0415  SQLAlchemy and psycopg take 0.25 s

    findings = examine(effective_environment, processes)
    well = is_well(findings)
    if as_json:
        print_json({"ok": well, "checks": findings})
    else:
        _print(findings)
    raise typer.Exit(0 if well else EXIT_PROBLEM)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        result(f"{finding.status:<8} {finding.name:<{width}}  {printable(finding.found)}")
        if finding.advice:
            result(f"{'':<{width + 9}}  do: {printable(finding.advice)}")
    counts = Counter(finding.status for finding in findings)
    result(", ".join(f"{counts[status]} {status}" for status in Status))
