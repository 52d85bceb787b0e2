"""``mobius ingest``: take a directory or a file in, and report what became of every document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.choices import Priority
from worker.cli.names import JsonOption, Names, ProjectOption, SourceOption, TenantOption
from worker.cli.opening import open_services
from worker.cli.output import print_json
from worker.cli.report import exit_code, print_report, report_of
from worker.cli.watching import PlanNotes, watch_run


def ingest(
    path: Annotated[Path, typer.Argument(help="File or directory to ingest.", show_default=False)],
    project: ProjectOption = None,
    source: SourceOption = None,
    tenant: TenantOption = None,
    priority: Annotated[Priority, typer.Option(help="How urgent it is.")] = Priority.NORMAL,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when everything is accepted.")] = False,
    allow_delete: Annotated[
        bool, typer.Option("--allow-delete", help="Delete what is gone, however much it is.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ingest PATH: new and changed files are embedded and indexed, deleted ones are removed.

    Exit code 0: everything is indexed or skipped by policy. 3: some documents failed, or the run was cancelled.
    2: usage, configuration, a service that does not answer, or a run that is incomplete (interrupted, or deletions wait
    for your consent): mend it and repeat it.
    """
    from worker.cli.producing import produce, require_same_versions  # noqa: PLC0415  what plans takes 0.1 s to import

    services = open_services()
    names = Names.of(services.settings, tenant, project, source)
    run_id = produce(services, path, names, priority, PlanNotes(quiet=as_json), allow_delete=allow_delete)
    if not no_wait:
        watch_run(services.views, run_id, quiet=as_json)
        require_same_versions(services, run_id)
    report = report_of(services, names.tenant, run_id)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    raise typer.Exit(exit_code(report))
