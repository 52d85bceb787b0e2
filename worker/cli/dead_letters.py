"""``mobius dead-letters``: what was given up on, why, and how to have it tried again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from worker.cli.names import JsonOption, TenantOption, checked
from worker.cli.opening import open_services
from worker.cli.output import note, print_json, printable, result

if TYPE_CHECKING:
    from models.dead_letters import DeadLetters
    from pipeline.dead_letters import DeadLetterLine

app = typer.Typer(no_args_is_help=True, help="Show, retry and drop documents that were given up on.")

#: Those that one transaction deals with; `--all` means more, in rounds.
_MOST = 1_000

IdsArgument = Annotated[
    list[UUID] | None, typer.Argument(help="Their ids; `mobius dead-letters list` shows them.", show_default=False)
]
EveryProjectOption = Annotated[
    str | None, typer.Option("--project", help="Only this project; default: every one.", callback=checked)
]
AllOption = Annotated[bool, typer.Option("--all", help="All open ones, instead of ids.")]


@app.command("list")
def list_letters(
    project: EveryProjectOption = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that are taken care of or overtaken.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many at most.")] = 100,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """List open dead letters, the latest first."""
    lines = _letters(tenant, project).latest(limit=limit, closed=every)
    if as_json:
        print_json(lines)
        return
    if not lines:
        note("no dead letters")
    for line in lines:
        result(
            f"{line.dead_letter_id}  {_when(line.given_up_at)}  {line.status:<9}  {line.stage:<6}  {line.project}"
            f"  {printable(line.path)}  {line.error}: {printable(line.message)}"
        )


@app.command()
def show(
    dead_letter_id: Annotated[UUID, typer.Argument(help="Its id.", show_default=False)],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one in full, with the traceback."""
    (line,) = _letters(tenant, None).get([dead_letter_id])
    if as_json:
        print_json(line)
    else:
        _print(line)


@app.command()
def retry(
    ids: IdsArgument = None,
    every: AllOption = False,
    project: EveryProjectOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send documents through all stages again, after what was wrong is mended: a new run for each source."""
    letters = _letters(tenant, project)
    runs: dict[UUID, int] = {}
    for chosen in _rounds(letters, ids, every=every):
        runs |= letters.retry(chosen)
    if as_json:
        print_json([{"run_id": run, "documents": count} for run, count in runs.items()])
        return
    if not runs:
        note("nothing to retry: they are taken care of already, or a newer revision was accepted since")
    for run, count in runs.items():
        result(f"run {run}: {count:,} documents; follow it with `mobius runs {run} --watch`")


@app.command()
def drop(
    ids: IdsArgument = None,
    every: AllOption = False,
    project: EveryProjectOption = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take dead letters off the list. The documents stay failed until they are ingested again."""
    letters = _letters(tenant, project)
    dropped = sum(letters.drop(chosen) for chosen in _rounds(letters, ids, every=every))
    if as_json:
        print_json({"dropped": dropped})
    else:
        note(f"{dropped:,} dropped")


def _letters(tenant: str | None, project: str | None) -> DeadLetters:
    services = open_services()
    return services.dead_letters(tenant or services.settings.tenant, project)


def _rounds(letters: DeadLetters, ids: list[UUID] | None, *, every: bool) -> Iterator[list[UUID]]:
    if bool(ids) == every:
        raise typer.BadParameter("name the ids, or give --all")
    if ids:
        yield ids
        return
    last: list[UUID] = []
    while found := [line.dead_letter_id for line in letters.latest(limit=_MOST)]:
        if found == last:
            return
        yield found
        last = found


def _print(line: DeadLetterLine) -> None:
    result(f"{printable(line.path)}  (project {line.project}, source {printable(line.source)})")
    result(f"  dead letter  {line.dead_letter_id} ({line.status})")
    result(f"  failed       in {line.stage}, {line.attempts} attempts, generation {line.generation}")
    result(f"  run          {line.run_id}, accepted {_when(line.accepted_at)}")
    result(f"  given up     {_when(line.given_up_at)}, last on worker {line.worker}")
    result(f"  error        {line.error}: {printable(line.message)}")
    for text in line.trace.splitlines():
        result(f"    {printable(text)}")
    if line.status == "open":
        result(f"  next action  `mobius dead-letters retry {line.dead_letter_id}` when the cause is mended")


def _when(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"
