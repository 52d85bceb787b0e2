"""``mobius runs``: the list, one run in full, and what may be done to a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer
from typer.core import TyperGroup

from worker.cli import control
from worker.cli.names import JsonOption, TenantOption
from worker.cli.opening import open_services
from worker.cli.output import note, print_json, printable, result
from worker.cli.report import exit_code, print_report, report_of
from worker.cli.watching import watch_run

if TYPE_CHECKING:
    from pipeline.report import RunLine

_SHOW = "show"


class _ShowsByDefault(TyperGroup):
    """Takes ``mobius runs`` and ``mobius runs RUN_ID`` for ``mobius runs show``, which is what they always were."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        if not args or (args[0] not in self.commands and args[0] not in {"--help", "-h"}):
            if args and not args[0].startswith("-") and not _is_uuid(args[0]):
                known = ", ".join(sorted(self.commands))
                what = f"{args[0]!r} is neither a command ({known}) nor the id of a run; `mobius runs` lists those"
                raise typer.BadParameter(what, ctx=ctx)
            args = [_SHOW, *args]
        return super().parse_args(ctx, args)


def _is_uuid(word: str) -> bool:
    try:
        UUID(word)
    except ValueError:
        return False
    return True


def show(
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
    if run_id is None:
        _list(services.views.runs(owner), as_json=as_json)
        return
    report = report_of(services, owner, run_id)
    if watch:
        watch_run(services.views, run_id, quiet=as_json, patient=True)
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


app = typer.Typer(
    cls=_ShowsByDefault,
    help="List the latest runs, or report one (`mobius runs RUN_ID [--watch]`; options: `mobius runs show --help`);"
    " cancel, pause and resume runs.",
)
app.command(_SHOW)(show)
app.command()(control.cancel)
app.command()(control.pause)
app.command()(control.resume)
