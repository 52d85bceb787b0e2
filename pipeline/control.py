"""When a request of an operator about a run cannot be had."""

from __future__ import annotations

from pipeline.errors import MisconfiguredError


class UnknownRun(MisconfiguredError):
    """There is no such run; `mobius runs` lists the ones there are."""


class RunEnded(MisconfiguredError):
    """The run has ended already, so there is nothing left of it to cancel, pause or resume."""
