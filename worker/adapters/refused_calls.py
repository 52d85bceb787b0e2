"""Remember which calls the provider refused, so that under a tight budget the refused do not stand before the others.

A stage may then be handed back after every single call. If the refused call were the first one made again each time,
its halves and its neighbours would never get their turn. So a refused call of several texts is not sent again but
split at once, and a single text that was refused is sent last: it gets its chance, for the provider may have changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.types import EmbeddingCall

#: Calls remembered at most; the oldest are forgotten first.
_REMEMBERED = 1_000


class RefusedCalls:
    """The calls of this process that were refused."""

    def __init__(self) -> None:
        # Only hashes of calls: a mistaken one costs a split that was not needed.
        self._calls: dict[int, None] = {}

    def __contains__(self, call: EmbeddingCall) -> bool:
        return hash(call.hashes) in self._calls

    def add(self, call: EmbeddingCall) -> None:
        """Remember a call."""
        self._calls[hash(call.hashes)] = None
        while len(self._calls) > _REMEMBERED:
            del self._calls[next(iter(self._calls))]

    def must_be_split(self, call: EmbeddingCall) -> bool:
        """Whether sending the call again would only earn the same refusal."""
        return len(call.hashes) > 1 and call in self

    def last(self, calls: Iterable[EmbeddingCall]) -> list[EmbeddingCall]:
        """Return the calls in their order, but the refused ones behind all others."""
        return sorted(calls, key=self.__contains__)
