"""The names on a command line: which tenant, project and source it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from worker.naming import MAX_BYTES, MAX_SOURCE_BYTES, fault_of

if TYPE_CHECKING:
    from worker.settings import Settings


def checked(value: str | None) -> str | None:
    """Return a name that can be one.

    Raises:
        typer.BadParameter: It cannot.
    """
    return _within(value, MAX_BYTES)


def _checked_source(value: str | None) -> str | None:
    return _within(value, MAX_SOURCE_BYTES)


def _within(value: str | None, limit: int) -> str | None:
    if value is not None and (fault := fault_of(value, limit)):
        raise typer.BadParameter(fault)
    return value


TenantOption = Annotated[str | None, typer.Option(help="Tenant; default: MOBIUS_TENANT.", callback=checked)]
ProjectOption = Annotated[str | None, typer.Option(help="Project; default: MOBIUS_PROJECT.", callback=checked)]
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
