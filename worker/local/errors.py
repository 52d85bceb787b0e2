"""The one error that the local stack raises: something on this machine must change before it can run."""

from __future__ import annotations

from pipeline.errors import MisconfiguredError


class StackError(MisconfiguredError):
    """The local stack cannot run like this; read the log files that `mobius status` names."""
