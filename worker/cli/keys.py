"""``mobius keys``: make, list and revoke API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from worker.cli.names import JsonOption, TenantOption, checked
from worker.cli.opening import open_services
from worker.cli.output import note, print_json, printable, result

if TYPE_CHECKING:
    from models.keys import KeyLine

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command()
def create(
    tenant: TenantOption = None,
    name: Annotated[
        str, typer.Option(help="What it is for; shown by `mobius keys list`.", callback=checked)
    ] = "unnamed",
    as_json: JsonOption = False,
) -> None:
    """Make a key for a tenant and print it: this once, for only its hash is kept. A new tenant is made with it."""
    services = open_services()
    made = services.keys.create(tenant or services.settings.tenant, name)
    if as_json:
        print_json({**_plain(made.line), "key": made.secret, "is_new_tenant": made.is_new_tenant})
        return
    if made.is_new_tenant:
        note(f"tenant {made.line.tenant} is new; `mobius keys revoke {made.line.key_id}` if that is a mistake")
    note(f"key {made.line.key_id} for tenant {made.line.tenant}; keep it now, it is not shown again:")
    result(made.secret)


@app.command("list")
def list_keys(tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """List the keys of all tenants, or of one; never the keys themselves."""
    lines = open_services().keys.list(tenant)
    if as_json:
        print_json([_plain(line) for line in lines])
        return
    if not lines:
        note("no keys yet; `mobius keys create` makes one")
    for line in lines:
        state = f"revoked {_when(line.revoked_at)}" if line.revoked_at else "valid"
        result(f"{line.key_id}  {_when(line.created_at)}  {line.tenant}  {printable(line.name)}  {state}")


@app.command()
def revoke(
    key_id: Annotated[UUID, typer.Argument(help="Its id; `mobius keys list` shows it.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Make a key worthless at once. Doing it twice changes nothing."""
    line = open_services().keys.revoke(key_id)
    if as_json:
        print_json(_plain(line))
        return
    note(
        f"key {line.key_id} ({printable(line.name)}) of tenant {line.tenant} is revoked since {_when(line.revoked_at)}"
    )


def _plain(line: KeyLine) -> dict[str, object]:
    return {
        "id": line.key_id,
        "name": line.name,
        "tenant": line.tenant,
        "created_at": line.created_at,
        "revoked_at": line.revoked_at,
    }


def _when(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
