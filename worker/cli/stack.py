"""``mobius up``, ``down``, ``status``, ``migrate`` and ``config``: what an operator starts, stops and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.names import JsonOption
from worker.cli.opening import open_settings, own_settings
from worker.cli.output import note, print_json, printable, result

if TYPE_CHECKING:
    from worker.local import StackStatus

#: The services, or a part of the stack, are not there.
EXIT_NOT_READY = 1


def up(
    services_only: Annotated[
        bool, typer.Option("--services-only", help="Only Postgres, Redis and Qdrant, migrated; no workers.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Start the local stack in the background, or find the one that runs."""
    from worker import local  # noqa: PLC0415  only three commands need it
    from worker.settings import plain_environment  # noqa: PLC0415  pydantic takes 0.1 s to import

    settings = own_settings()
    fleet = local.FleetOptions(
        settings.cpu_concurrency, settings.io_concurrency, settings.flower_port or None, settings.api_port or None
    )
    status = local.up(settings.home, plain_environment(), report=note, services_only=services_only, fleet=fleet)
    _print_status(status, as_json=as_json)


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Delete its data, passwords and logs as well.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop the local stack; no process of it is left."""
    from worker import local  # noqa: PLC0415  only three commands need it

    home = own_settings().home
    was_running = local.down(home, report=note)
    if purge:
        local.purge(home)
    if as_json:
        print_json({"was_running": was_running, "purged": purge})
        return
    note(f"the local stack {'is down' if was_running else 'was not running'}{'; its data is gone' if purge else ''}")


def status(as_json: JsonOption = False) -> None:
    """Show every process of the local stack. Exit code 1: it is not running, or not all of it is ready."""
    from worker import local  # noqa: PLC0415  only three commands need it

    found = local.status(own_settings().home)
    _print_status(found, as_json=as_json)
    raise typer.Exit(0 if found.is_ready else EXIT_NOT_READY)


def migrate() -> None:
    """Bring the database to the schema of this version."""
    from models import schema  # noqa: PLC0415  SQLAlchemy and psycopg take 0.25 s to import

    url = open_settings().require("database_url")
    before = schema.current_revision(url)
    schema.upgrade(url, on_wait=note)
    note(f"the database was at schema {before or 'none'} and is at {schema.current_revision(url)}")


def config(as_json: JsonOption = False) -> None:
    """Print the effective configuration, secrets masked, and what each setting means."""
    from worker.cli.configuration import shown_settings  # noqa: PLC0415  pydantic takes 0.1 s to import

    shown = shown_settings(open_settings())
    if as_json:
        print_json({each.variable: each.value for each in shown})
        return
    for each in shown:
        result(f"{each.variable}={printable(each.value or '')}")
        result(f"    {each.description}")


def _print_status(found: StackStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "name": child.name,
                    "state": child.state.value,
                    "pid": child.pid,
                    "url": child.url,
                    "restarts": child.restarts,
                }
                for child in found.children
            ]
        )
        return
    result(f"local stack in {found.home}: {found.phase.value}")
    width = max((len(child.name) for child in found.children), default=0)
    for child in found.children:
        where = child.url or (f"log: {child.log}" if child.log else "")
        state = f"{child.state.value:<10} pid {child.pid or '-':<8} restarts {child.restarts}"
        result(f"  {child.name:<{width}} {state}  {where}")
        if child.message:
            result(f"               {child.message}")
