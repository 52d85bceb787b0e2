"""``mobius search``: find chunks of a project; it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.choices import SearchMode
from pipeline.traits import traits_called
from worker.cli.facts import describe_facts
from worker.cli.names import JsonOption, Names, ProjectOption, TenantOption
from worker.cli.opening import open_services
from worker.cli.output import note, print_json, printable, result

if TYPE_CHECKING:
    from pipeline.report import SearchHit

#: Lines of a hit's text that people are shown; JSON has all of it.
_SHOWN_LINES = 6


def _checked_query(query: str) -> str:
    if not query.strip():
        raise typer.BadParameter("it is empty; say what to look for")
    # Bytes that are no UTF-8 arrive as half surrogates, which neither a provider nor Postgres takes.
    return query.encode(errors="replace").decode()


def _checked_traits(words: list[str]) -> list[str]:
    try:
        return list(traits_called(words))
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


LanguagesOption = Annotated[list[str], typer.Option("--language", help="Only this language; repeatable.")]
KindsOption = Annotated[list[str], typer.Option("--kind", help="Only this kind of chunk (function, ...); repeatable.")]
PathsOption = Annotated[
    list[str],
    typer.Option("--path", help="Only this directory or file, as results show paths (no pattern); repeatable."),
]
OnlyOption = Annotated[
    list[str],
    typer.Option(
        "--only",
        callback=_checked_traits,
        help="Only files that are generated, vendored, test, documentation, lock or minified; commas, or repeatable.",
    ),
]
ExcludeOption = Annotated[
    list[str], typer.Option("--exclude", callback=_checked_traits, help="No files that are; the same names.")
]
ModeOption = Annotated[
    SearchMode | None,
    typer.Option(
        "--mode",
        help="Rank by words (sparse), by embeddings (dense), or both (hybrid). Default: MOBIUS_SEARCH_MODE.",
        show_default=False,
    ),
]
ExpandOption = Annotated[
    bool, typer.Option("--expand", help="Show the whole definition that a hit is a part of, once.")
]


def search(
    query: Annotated[str, typer.Argument(help="What to look for.", show_default=False, callback=_checked_query)],
    project: ProjectOption = None,
    limit: Annotated[int, typer.Option("-k", min=1, max=1000, help="How many results.")] = 5,
    mode: ModeOption = None,
    languages: LanguagesOption = [],  # noqa: B006  typer copies it
    kinds: KindsOption = [],  # noqa: B006  the same
    paths: PathsOption = [],  # noqa: B006  the same
    only: OnlyOption = [],  # noqa: B006  the same
    exclude: ExcludeOption = [],  # noqa: B006  the same
    expand: ExpandOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Also the documentation, parameters and uses of each result.")
    ] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search a project; the best chunk comes first."""
    from worker.cli.finding import confined_to, find_chunks  # noqa: PLC0415  all that searches takes 0.1 s to import

    services = open_services()
    names = Names.of(services.settings, tenant, project)
    where = confined_to(languages, kinds, paths, only=only, exclude=exclude)
    hits = find_chunks(services, names, query, limit=limit, mode=mode, where=where, expand=expand)
    if as_json:
        print_json(hits)
        return
    if not hits:
        note("nothing found")
    for hit in hits:
        _print_hit(hit, verbose=verbose)


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
