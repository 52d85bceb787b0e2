"""``mobius ingest``: take a directory or a file in, and report what became of every document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.intake import Intake
from models.views import Views
from pipeline.policy import SkipReason
from pipeline.report import RunReport
from pipeline.states import RunState
from pipeline.types import Priority
from tasks.planning import PlanOptions, plan_run
from worker.cli.output import note, print_json, printable, result
from worker.cli.services import Services, open_services
from worker.cli.targets import locate
from worker.cli.watching import PlanNotes, watch_run
from worker.context import versions

#: Exit codes; Typer's own usage errors are 2 as well.
EXIT_FAILED = 3
EXIT_USAGE = 2


def ingest(
    path: Annotated[Path, typer.Argument(help="File or directory to ingest.", show_default=False)],
    project: Annotated[str | None, typer.Option(help="Project; default: MOBIUS_PROJECT.")] = None,
    source: Annotated[str | None, typer.Option(help="Name of the source; default: its absolute path.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant; default: MOBIUS_TENANT.")] = None,
    priority: Annotated[Priority, typer.Option(help="How urgent it is.")] = Priority.NORMAL,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when everything is accepted.")] = False,
    allow_delete: Annotated[
        bool, typer.Option("--allow-delete", help="Delete what is gone, however much it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Ingest PATH: new and changed files are embedded and indexed, deleted ones are removed.

    Exit code 0: everything is indexed or skipped by policy. 3: some documents failed. 2: usage or configuration.
    """
    services = open_services()
    settings = services.settings
    target = locate(
        services, path, tenant=tenant or settings.tenant, project=project or settings.project, source=source
    )
    try:
        # A wrong collection is found out now, not when the first slice reaches the last stage.
        services.index.ping()
        note(f"ingesting {printable(str(path))} into project {target.ref.project}, source {printable(target.ref.name)}")
        options = _options(services, priority, allow_delete=allow_delete)
        run_id = plan_run(Intake(services.engine), target.files, target.ref, options, PlanNotes(quiet=as_json))
    finally:
        target.files.close()
    views = Views(services.engine)
    if not no_wait:
        watch_run(views, run_id, quiet=as_json)
    report = views.report(target.ref.tenant, run_id, services.embedder.model.key)
    if report is None:
        raise typer.Exit(EXIT_USAGE)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    raise typer.Exit(exit_code(report))


def exit_code(report: RunReport) -> int:
    """Return what a run's state means to a script."""
    if report.state is RunState.FAILED:
        return EXIT_FAILED
    return EXIT_USAGE if report.state is RunState.INCOMPLETE else 0


def print_report(report: RunReport) -> None:
    """Print a run's report for people."""
    documents, chunks, points = report.documents, report.chunks, report.points
    result(f"run {report.run_id}: {report.state.value} in {report.seconds:.1f} s")
    result(
        f"  documents  {documents.indexed:,} indexed ({documents.new:,} new, {documents.changed:,} changed), "
        f"{documents.unchanged:,} unchanged, {documents.deleted:,} deleted, {documents.superseded:,} superseded, "
        f"{documents.failed:,} failed"
    )
    result(f"  chunks     {chunks.total:,}: {chunks.embedded:,} embedded, {chunks.reused:,} reused")
    result(f"  points     {points.written:,} written, {points.updated:,} updated, {points.deleted:,} deleted")
    result(
        f"  embedding  {report.embedding.model}: {report.embedding.calls:,} calls, {report.embedding.inputs:,} inputs,"
        f" {report.embedding.tokens:,} tokens"
    )
    for skip in report.skipped:
        result(f"  skipped    {skip.count:,} {skip.reason}: {SkipReason(skip.reason).explanation}")
    for error in report.errors:
        result(f"  failed     {printable(error.path)}: {error.error}: {error.message}")
    if documents.failed > len(report.errors):
        result(f"  failed     and {documents.failed - len(report.errors):,} more")
    if report.message:
        result(f"  note       {report.message}")


def _options(services: Services, priority: Priority, *, allow_delete: bool) -> PlanOptions:
    settings = services.settings
    return PlanOptions(
        versions=versions(services.embedder),
        priority=priority,
        allow_delete=allow_delete,
        delete_share=settings.delete_share,
        slice_documents=settings.slice_documents,
        slice_bytes=settings.slice_bytes,
    )
