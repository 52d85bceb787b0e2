"""``mobius reconcile``: compare ledger and index now, and mend the index from the ledger's vectors if asked to."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from pipeline.reconciliation import PassCounts, PassReport, ReconciliationState
from worker.cli.names import JsonOption, TenantOption, checked
from worker.cli.opening import open_services
from worker.cli.output import note, print_json, result

#: Ledger and index disagree, and still do.
EXIT_DRIFT = 4
#: Nothing was mended: too much would be deleted, or another reconciliation is running.
EXIT_REFUSED = 5

_BUSY = "another reconciliation is running; wait until it ends, then run this again"


def reconcile(
    project: Annotated[
        str | None, typer.Option(help="Only this project; default: all tenants and projects.", callback=checked)
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair/--dry-run", help="Mend the index, or only say what differs (the default).")
    ] = False,
    allow_delete: Annotated[
        bool, typer.Option("--allow-delete", help="With --repair: delete orphans, however many there are.")
    ] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what Postgres says should be indexed with what Qdrant holds.

    Without --repair the index is not changed. Repairs use the vectors that Postgres has; nothing is embedded. Both
    are safe beside running ingestions.

    Exit code 0: in sync, or all drift was mended. 4: drift was found and is left. 5: refused, because too much would
    be deleted or another reconciliation is running. 2: usage or configuration.
    """
    if tenant is not None and project is None:
        raise typer.BadParameter("--tenant needs --project; without both, all tenants and projects are compared")
    if allow_delete and not repair:
        raise typer.BadParameter("--allow-delete needs --repair; without it nothing is deleted")
    from worker.cli.comparing import compare  # noqa: PLC0415  all that compares takes 0.2 s to import

    report = compare(open_services(), tenant, project, is_repair=repair, allow_delete=allow_delete)
    if as_json:
        print_json(_as_json(report, is_repair=repair, project=project))
    elif report is None:
        note(f"refused: {_BUSY}")
    else:
        _print(report)
    raise typer.Exit(exit_code(report))


def exit_code(report: PassReport | None) -> int:
    """Return what a pass means to a script; None: another one is running."""
    if report is None or report.state is not ReconciliationState.FINISHED:
        return EXIT_REFUSED
    return EXIT_DRIFT if report.counts.left else 0


def _as_json(report: PassReport | None, *, is_repair: bool, project: str | None) -> dict[str, object]:
    counts = PassCounts() if report is None else report.counts
    return {
        "reconciliation_id": report and report.reconciliation_id,
        "project": project,
        "mode": "repair" if is_repair else "dry-run",
        "state": report.state.value if report else ReconciliationState.REFUSED.value,
        **dataclasses.asdict(counts),
        "drifted": counts.drifted,
        "left": counts.left,
        "seconds": report.seconds if report else 0.0,
        "message": report.message if report else _BUSY,
    }


def _print(report: PassReport) -> None:
    counts = report.counts
    mode = "repair" if report.is_repair else "dry run"
    result(f"reconciliation {report.reconciliation_id}: {mode}, {report.state.value} in {report.seconds:.1f} s")
    result(f"  compared   {counts.compared:,} chunks with {counts.scanned:,} points")
    result(f"  missing    {counts.missing:,} chunks without a point")
    result(f"  orphan     {counts.orphan:,} points without a chunk")
    result(f"  stale      {counts.stale:,} points that are not those of their chunk")
    if report.is_repair:
        result(f"  repaired   {counts.repaired:,}")
    if counts.failed:
        result(f"  failed     {counts.failed:,}")
    if counts.deferred:
        result(f"  deferred   {counts.deferred:,} in documents that a run is at work on; the next pass looks again")
    if report.message:
        result(f"  {'refused' if report.state is ReconciliationState.REFUSED else 'note':<10} {report.message}")
    note(_next_step(report))


def _next_step(report: PassReport) -> str:
    if report.state is not ReconciliationState.FINISHED:
        return "nothing more was changed"
    if not report.counts.drifted:
        return "ledger and index agree"
    if not report.counts.left:
        return "everything that was found is mended"
    return "run `mobius reconcile` again" if report.is_repair else "mend it with `mobius reconcile --repair`"
