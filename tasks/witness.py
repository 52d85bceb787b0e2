"""What a worker's parent process can learn of a child that is gone: the port, and its twin that knows nothing."""

from __future__ import annotations

from typing import Protocol


class Witness(Protocol):
    """Sees processes end. The first two are called in the child, the others in its parent; none of them raises."""

    def begin_stage(self, seconds: float) -> None:
        """Leave a trace if this process crashes, or is not done with its stage after so many seconds."""

    def end_stage(self) -> None:
        """The stage is over; it did not hang."""

    def trace_of(self, pid: int | None) -> str:
        """Return where a process that is gone was, as far as it could tell; the trace is forgotten."""

    def out_of_memory_kills(self) -> int:
        """Return how many processes beside this one the kernel has killed for want of memory."""


class NoWitness:
    """Has seen nothing."""

    def begin_stage(self, seconds: float) -> None:
        """See the port."""

    def end_stage(self) -> None:
        """See the port."""

    def trace_of(self, pid: int | None) -> str:  # noqa: ARG002  the port's
        """See the port."""
        return ""

    def out_of_memory_kills(self) -> int:
        """See the port."""
        return 0


NO_WITNESS = NoWitness()
