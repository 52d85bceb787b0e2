"""The names on a command line: which tenant, project and source it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from worker.settings import Settings

#: PostgreSQL's limit for an indexed value is 2,704 bytes; a source may be named by a path, the others by hand.
MAX_BYTES = 200
MAX_SOURCE_BYTES = 2_000


def checked_name(value: str | None) -> str | None:
    """Return the name of a tenant or project, or refuse one that cannot be meant."""
    return _within(value, MAX_BYTES)


def _checked_source(value: str | None) -> str | None:
    return _within(value, MAX_SOURCE_BYTES)


def _within(value: str | None, limit: int) -> str | None:
    """Return the name, or refuse one that a script made from an empty variable, a binary one, or an endless one."""
    if value is None:
        return None
    if not value.strip():
        raise typer.BadParameter("it is empty; leave the option out for the default")
    if not value.isprintable():
        raise typer.BadParameter("it holds control characters or is not valid UTF-8")
    if len(value.encode()) > limit:
        raise typer.BadParameter(f"it is longer than {limit:,} bytes")
    return value


TenantOption = Annotated[str | None, typer.Option(help="Tenant; default: MOBIUS_TENANT.", callback=checked_name)]
ProjectOption = Annotated[str | None, typer.Option(help="Project; default: MOBIUS_PROJECT.", callback=checked_name)]
SourceOption = Annotated[
    str | None,
    typer.Option(
        help="Name of the source; default: the known source around PATH, else its absolute path.",
        callback=_checked_source,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]


@dataclass(frozen=True, slots=True)
class Names:
    """What a command is confined to; ``source`` is None where none was named."""

    tenant: str
    project: str
    source: str | None = None

    @classmethod
    def of(cls, settings: Settings, tenant: str | None, project: str | None, source: str | None = None) -> Names:
        """Return the names given, with the settings' defaults for the others."""
        return cls(tenant or settings.tenant, project or settings.project, source)
