"""``mobius search``, ``runs`` and ``why``: look, change nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from models.searching import CommittedChunks
from models.sources import Sources
from models.views import Views
from pipeline.identity import document_id
from pipeline.report import RunReport, SearchHit, Whereabouts
from tasks.searching import search as search_project
from worker.cli.ingest import EXIT_USAGE, print_report
from worker.cli.output import note, print_json, printable, result
from worker.cli.services import Services, open_services
from worker.cli.watching import watch_run

#: Lines of a hit's text that people are shown; JSON has all of it.
_SHOWN_LINES = 6

_Tenant = Annotated[str | None, typer.Option(help="Tenant; default: MOBIUS_TENANT.")]
_Project = Annotated[str | None, typer.Option(help="Project; default: MOBIUS_PROJECT.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.", show_default=False)],
    project: _Project = None,
    limit: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many results.")] = 5,
    tenant: _Tenant = None,
    as_json: _Json = False,
) -> None:
    """Search a project; the best chunk comes first."""
    services = open_services()
    settings = services.settings
    scope = Sources(services.engine).scope_of(tenant or settings.tenant, project or settings.project)
    chunks = CommittedChunks(services.engine)
    hits = search_project(services.index, services.embedder, chunks, scope, query, limit)
    if as_json:
        print_json(hits)
        return
    if not hits:
        note("nothing found")
    for hit in hits:
        _print_hit(hit)


def runs(
    run_id: Annotated[UUID | None, typer.Argument(help="One run, in full.", show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait until the run has ended.")] = False,
    tenant: _Tenant = None,
    as_json: _Json = False,
) -> None:
    """List the latest runs, or report one."""
    services = open_services()
    views = Views(services.engine)
    owner = tenant or services.settings.tenant
    if run_id is None:
        lines = views.runs(owner)
        if as_json:
            print_json(lines)
            return
        for line in lines:
            started = line.started_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
            result(
                f"{line.run_id}  {started}  {line.state.value:<10}  {line.documents:>7,} documents"
                f"  {line.failed:,} failed  {line.project}  {printable(line.source)}"
            )
        return
    report = _report(services, views, owner, run_id)
    if watch:
        watch_run(views, run_id, quiet=as_json)
        report = _report(services, views, owner, run_id)
    if as_json:
        print_json(report)
    else:
        print_report(report)


def why(
    path: Annotated[str, typer.Argument(help="A file, by its path in the source or on disk.", show_default=False)],
    project: _Project = None,
    tenant: _Tenant = None,
    as_json: _Json = False,
) -> None:
    """Say where a file is: its stage, attempts, holder, error and what happens next."""
    services = open_services()
    settings = services.settings
    names = (tenant or settings.tenant, project or settings.project)
    sources = Sources(services.engine)
    scope = sources.scope_of(*names)
    candidates = [
        document_id(source.id, relative)
        for source in sources.sources_of(*names)
        for relative in {path, os.path.relpath(os.path.realpath(path), source.root)}
    ]
    found = Views(services.engine).whereabouts(scope, candidates)
    if as_json:
        print_json(found)
    for where in found if not as_json else ():
        _print_whereabouts(where)
    if not found:
        there = "the file exists, so it was skipped or is not ingested yet" if Path(path).exists() else "no such file"
        note(f"{printable(path)} is no document of project {names[1]} ({there}); `mobius ingest` lists what it skips")
        raise typer.Exit(EXIT_USAGE)


def _report(services: Services, views: Views, tenant: str, run_id: UUID) -> RunReport:
    report = views.report(tenant, run_id, services.embedder.model.key)
    if report is None:
        note(f"there is no run {run_id}; `mobius runs` lists the ones there are")
        raise typer.Exit(EXIT_USAGE)
    return report


def _print_hit(hit: SearchHit) -> None:
    scope = " > ".join((*hit.scope, hit.name) if hit.name else hit.scope)
    result(f"{printable(hit.path)}:{hit.start_line}-{hit.end_line}  {hit.score:.3f}  {hit.kind}  {scope}")
    lines = hit.text.strip("\r\n").splitlines()
    for line in lines[:_SHOWN_LINES]:
        result(f"    {printable(line.expandtabs(4))}")
    if len(lines) > _SHOWN_LINES:
        result(f"    ... {len(lines) - _SHOWN_LINES} more lines")


def _print_whereabouts(where: Whereabouts) -> None:
    result(f"{printable(where.path)}  (project {where.project}, source {printable(where.source)})")
    result(f"  state        {where.state}, generation {where.generation}, indexed {where.indexed_generation}")
    result(f"  chunks       {where.chunks:,}")
    if where.run_id:
        result(f"  run          {where.run_id}")
    if where.stage:
        held = f", held by {where.holder}" if where.holder else ""
        result(f"  stage        {where.stage} ({where.slice_state}, attempts {where.attempts}{held})")
    if where.error:
        result(f"  error        {where.error}: {where.message}")
    result(f"  next action  {where.next_action}")
