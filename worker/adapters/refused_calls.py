"""Remember which calls of several texts the provider refused, so that each refusal is met once.

Under a tight budget a stage may be handed back after every single call. A refused call would then be the first one
made again each time, and its halves would never get their turn. A single text is always asked for: its refusal is what
its document fails with, and the provider may have changed since.
"""

from __future__ import annotations

from pipeline.types import EmbeddingCall

#: Calls remembered at most; the oldest are forgotten first.
_REMEMBERED = 1_000


class RefusedCalls:
    """The calls of this process that were refused and can be split."""

    def __init__(self) -> None:
        # Only hashes of calls: a mistaken one costs a split that was not needed.
        self._calls: dict[int, None] = {}

    def __contains__(self, call: EmbeddingCall) -> bool:
        return hash(call.hashes) in self._calls

    def add(self, call: EmbeddingCall) -> None:
        """Remember a call, if it can be split."""
        if len(call.hashes) > 1:
            self._calls[hash(call.hashes)] = None
        while len(self._calls) > _REMEMBERED:
            del self._calls[next(iter(self._calls))]
