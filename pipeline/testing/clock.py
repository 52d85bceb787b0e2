"""A clock that stands still until a test moves it, so that leases end without anybody sleeping."""

from __future__ import annotations


class ManualClock:
    """Seconds since the epoch, as a callable; safe to read from any thread."""

    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time (s)."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
