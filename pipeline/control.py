"""What operators ask of runs and of the fleet, and when that cannot be had.

A request is a row in the ledger. Whoever sends, claims or holds a slice looks at it, so it holds for workers that are
down at the time as well.
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from pipeline.errors import MisconfiguredError


class UnknownRun(MisconfiguredError):
    """There is no such run; `mobius runs` lists the ones there are."""


class RunEnded(MisconfiguredError):
    """The run has ended already, so there is nothing left of it to cancel, pause or resume."""


class Control(Protocol):
    """Cancels, pauses and resumes. Doing it twice changes nothing.

    Raises (every method about a run):
        UnknownRun: The tenant has no such run.
        RunEnded: It has ended, and not because of the same request.
    """

    def cancel(self, tenant: str, run_id: UUID) -> None:
        """End a run: what it has not brought in yet stays as it was before."""

    def pause(self, tenant: str, run_id: UUID) -> None:
        """Let no worker begin a stage of a run; those at work stop where nothing paid for is lost."""

    def resume(self, tenant: str, run_id: UUID) -> None:
        """Let a paused run go on."""

    def pause_fleet(self) -> None:
        """Pause every run of every tenant, those still to come included."""

    def resume_fleet(self) -> None:
        """Let the fleet work again; a run that was paused by itself stays so."""

    def is_fleet_paused(self) -> bool:
        """Return whether the fleet is paused."""
