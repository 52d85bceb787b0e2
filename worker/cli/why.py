"""``mobius why``: where one file is, or why it is nowhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from pipeline.identity import document_id
from worker.cli.names import JsonOption, Names, ProjectOption, TenantOption
from worker.cli.opening import open_services
from worker.cli.output import note, print_json, printable, result
from worker.cli.report import EXIT_USAGE

if TYPE_CHECKING:
    from pipeline.intake import SourceRef
    from pipeline.report import Whereabouts

#: Modules that people are shown; JSON has all of them.
_SHOWN_IMPORTS = 10


def why(
    path: Annotated[str, typer.Argument(help="A file, by its path in the source or on disk.", show_default=False)],
    project: ProjectOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where a file is: its stage, attempts, holder, error and what happens next.

    Exit code 2: it is no document of the project; then it says why not.
    """
    services = open_services()
    names = Names.of(services.settings, tenant, project)
    scope = services.sources.scope_of(names.tenant, names.project)
    sources = services.sources.sources_of(names.tenant, names.project)
    found = services.views.whereabouts(scope, _candidates(path, sources))
    if as_json:
        print_json(found)
    if not found:
        from worker.cli.judging import why_not  # noqa: PLC0415  what walks sources is not needed for a document

        reason = why_not(path, sources, services.settings.policy)
        note(f"{printable(path)} is no document of project {names.project}: {reason}")
        raise typer.Exit(EXIT_USAGE)
    for where in found if not as_json else ():
        _print(where)


def _candidates(path: str, sources: list[SourceRef]) -> list[UUID]:
    """Return the ids that the file may have: by its path in each source, and by its place on disk."""
    real = os.path.realpath(path)
    return [
        document_id(source.id, os.fsencode(relative).decode(errors="backslashreplace"))
        for source in sources
        for relative in {path, os.path.relpath(real, source.root)}
    ]


def _print(where: Whereabouts) -> None:
    result(f"{printable(where.path)}  (project {where.project}, source {printable(where.source)})")
    result(f"  state        {where.state}, generation {where.generation}, indexed {where.indexed_generation}")
    kinds = ", ".join(where.traits) or "none"
    line_ends = f", line ends {where.newlines}" if where.newlines else ""
    result(f"  read as      {where.language}, {where.encoding or 'not read yet'}{line_ends}; traits: {kinds}")
    result(f"  chunks       {where.chunks:,}")
    if where.imports:
        more = f", and {len(where.imports) - _SHOWN_IMPORTS} more" if len(where.imports) > _SHOWN_IMPORTS else ""
        result(f"  imports      {printable(', '.join(where.imports[:_SHOWN_IMPORTS]))}{more}")
    if where.run_id:
        result(f"  run          {where.run_id}")
    if where.stage:
        held = f", held by {where.holder}" if where.holder else ""
        result(f"  stage        {where.stage} ({where.slice_state}, attempts {where.attempts}{held})")
    if where.error:
        result(f"  error        {where.error}: {printable(where.message)}")
    result(f"  next action  {where.next_action}")
