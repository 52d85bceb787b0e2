"""``mobius runs cancel|pause|resume`` and ``mobius pause|resume``: what is to be done less, or no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from worker.cli.names import JsonOption, TenantOption
from worker.cli.opening import open_services
from worker.cli.output import note, print_json
from worker.cli.report import report_of

if TYPE_CHECKING:
    from worker.cli.services import Services

RunArgument = Annotated[UUID, typer.Argument(metavar="RUN_ID", help="`mobius runs` lists them.", show_default=False)]


def cancel(run_id: RunArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """End a run: what it has not brought in yet stays as it was. The next ingestion takes it up again.

    Documents that search shows already, and those that another run waits for, are finished.
    """
    services = open_services()
    services.control.cancel(tenant or services.settings.tenant, run_id)
    _tell(services, run_id, tenant, "cancelled", as_json=as_json)


def pause(run_id: RunArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Pause a run: no stage of it begins, and those at work stop where nothing paid for is lost."""
    services = open_services()
    services.control.pause(tenant or services.settings.tenant, run_id)
    _tell(services, run_id, tenant, f"paused; `mobius runs resume {run_id}` lets it go on", as_json=as_json)


def resume(run_id: RunArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Let a paused run go on."""
    services = open_services()
    services.control.resume(tenant or services.settings.tenant, run_id)
    also = "; but the whole fleet is paused, see `mobius resume`" if services.control.is_fleet_paused() else ""
    _tell(services, run_id, tenant, f"goes on{also}", as_json=as_json)


def pause_fleet(as_json: JsonOption = False) -> None:
    """Pause all workers, for every tenant: nothing begins before `mobius resume`. Ingestions are still accepted."""
    open_services().control.pause_fleet()
    _tell_fleet("the fleet is paused; `mobius resume` lets it work again", paused=True, as_json=as_json)


def resume_fleet(as_json: JsonOption = False) -> None:
    """Let all workers work again. A run that was paused by itself stays paused."""
    open_services().control.resume_fleet()
    _tell_fleet("the fleet works", paused=False, as_json=as_json)


def _tell(services: Services, run_id: UUID, tenant: str | None, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(report_of(services, tenant or services.settings.tenant, run_id))
    else:
        note(f"run {run_id}: {what}")


def _tell_fleet(what: str, *, paused: bool, as_json: bool) -> None:
    if as_json:
        print_json({"paused": paused})
    else:
        note(what)
