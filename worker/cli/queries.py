"""``mobius search`` and ``runs``: look, change nothing."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from models.searching import CommittedChunks
from models.sources import Sources
from models.views import Views
from pipeline.report import RunLine, SearchHit
from tasks.searching import search as search_project
from worker.cli.facts import describe_facts
from worker.cli.names import JsonOption, Names, ProjectOption, TenantOption
from worker.cli.output import note, print_json, printable, result
from worker.cli.report import exit_code, print_report, report_of
from worker.cli.services import open_services
from worker.cli.watching import watch_run

#: Lines of a hit's text that people are shown; JSON has all of it.
_SHOWN_LINES = 6


def _checked_query(query: str) -> str:
    if not query.strip():
        raise typer.BadParameter("it is empty; say what to look for")
    # Bytes that are no UTF-8 arrive as half surrogates, which neither a provider nor Postgres takes.
    return query.encode(errors="replace").decode()


def search(
    query: Annotated[str, typer.Argument(help="What to look for.", show_default=False, callback=_checked_query)],
    project: ProjectOption = None,
    limit: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many results.")] = 5,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also the documentation, parameters and uses of each result.")
    ] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search a project; the best chunk comes first."""
    services = open_services()
    names = Names.of(services.settings, tenant, project)
    scope = Sources(services.engine).scope_of(names.tenant, names.project)
    chunks = CommittedChunks(services.engine)
    hits = search_project(services.index, services.embedder, chunks, scope, query, limit)
    if as_json:
        print_json(hits)
        return
    if not hits:
        note("nothing found")
    for hit in hits:
        _print_hit(hit, verbose=verbose)


def runs(
    run_id: Annotated[UUID | None, typer.Argument(help="One run, in full.", show_default=False)] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Wait until the run has ended; then exit as `mobius ingest` does.")
    ] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the latest runs, or report one."""
    if watch and run_id is None:
        raise typer.BadParameter("--watch needs the RUN_ID of one run; `mobius runs` lists them")
    services = open_services()
    owner = tenant or services.settings.tenant
    views = Views(services.engine)
    if run_id is None:
        _list(views.runs(owner), as_json=as_json)
        return
    report = report_of(services, owner, run_id)
    if watch:
        watch_run(views, run_id, quiet=as_json, patient=True)
        report = report_of(services, owner, run_id)
    if as_json:
        print_json(report)
    else:
        print_report(report)
    raise typer.Exit(exit_code(report) if watch else 0)


def _list(lines: list[RunLine], *, as_json: bool) -> None:
    if as_json:
        print_json(lines)
        return
    if not lines:
        note("no runs yet; `mobius ingest PATH` makes one")
    for line in lines:
        started = line.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        result(
            f"{line.run_id}  {started}  {line.state.value:<10}  {line.documents:>7,} documents"
            f"  {line.failed:,} failed  {line.project}  {printable(line.source)}"
        )


def _print_hit(hit: SearchHit, *, verbose: bool) -> None:
    scope = " > ".join((*hit.scope, hit.name) if hit.name else hit.scope)
    where = f"{printable(hit.path)}:{hit.start_line}-{hit.end_line}"
    result(f"{where}  {hit.score:.3f}  {hit.kind}  {printable(scope)}".rstrip())
    if verbose and hit.facts is not None:
        for line in describe_facts(hit.facts):
            result(f"    {printable(line)}")
    lines = hit.text.strip("\r\n").splitlines()
    for line in lines[:_SHOWN_LINES]:
        result(f"    {printable(line.expandtabs(4))}")
    if len(lines) > _SHOWN_LINES:
        result(f"    ... {len(lines) - _SHOWN_LINES} more lines")
