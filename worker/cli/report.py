"""Tell people what became of a run, and scripts by an exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from pipeline.control import UnknownRun
from pipeline.policy import SkipReason
from pipeline.states import RunState
from worker.cli.output import printable, result

if TYPE_CHECKING:
    from pipeline.report import RunReport
    from worker.cli.services import Services

#: Exit codes. Usage errors and everything that an operator must mend first are 2.
EXIT_FAILED = 3
EXIT_USAGE = 2


def report_of(services: Services, tenant: str, run_id: UUID) -> RunReport:
    """Return everything about a run.

    Raises:
        UnknownRun: The tenant has none of that id.
    """
    report = services.views.report(tenant, run_id, services.model.key)
    if report is None:
        raise UnknownRun(f"there is no run {run_id} in tenant {tenant!r}; `mobius runs` lists the ones there are.")
    return report


def exit_code(report: RunReport) -> int:
    """Return what a run's state means to a script."""
    if report.state in {RunState.FAILED, RunState.CANCELLED}:
        return EXIT_FAILED
    return EXIT_USAGE if report.state is RunState.INCOMPLETE else 0


def print_report(report: RunReport) -> None:
    """Print a run's report for people."""
    documents, chunks, points, embedding = report.documents, report.chunks, report.points, report.embedding
    result(f"run {report.run_id}: {report.state.value} in {report.seconds:.1f} s")
    result(
        f"  documents  {documents.indexed:,} indexed ({documents.new:,} new, {documents.changed:,} changed), "
        f"{documents.unchanged:,} unchanged, {documents.deleted:,} deleted, {documents.superseded:,} superseded, "
        f"{documents.failed:,} failed" + (f", {documents.cancelled:,} cancelled" if documents.cancelled else "")
    )
    result(f"  chunks     {chunks.total:,}: {chunks.embedded:,} embedded, {chunks.reused:,} reused")
    result(f"  points     {points.written:,} written, {points.updated:,} updated, {points.deleted:,} deleted")
    result(
        f"  embedding  {printable(embedding.model)}: {embedding.calls:,} calls, {embedding.inputs:,} inputs,"
        f" {embedding.tokens:,} tokens"
    )
    for skip in report.skipped:
        result(f"  skipped    {skip.count:,} {skip.reason}: {SkipReason(skip.reason).explanation}")
    for error in report.errors:
        result(f"  failed     {printable(error.path)}: {error.error}: {printable(error.message)}")
    if documents.failed > len(report.errors):
        result(f"  failed     and {documents.failed - len(report.errors):,} more")
    if report.message:
        result(f"  note       {printable(report.message)}")
