"""Remember which calls the provider failed at, so that a text it always fails at is told from a provider that fails.

A failure counts against a call only if something else was bought since the last one that counted. While everything
fails, nothing counts, however long it lasts. What is remembered is the process's own, and losing it costs time only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.embed import halve
from pipeline.types import EmbeddingCall

#: Failures that count before a call of several texts is split, which harms nobody.
SPLIT_AFTER = 3
#: The same before a text that is alone is given up.
REFUSE_AFTER = 5
#: Calls remembered at most; the oldest are forgotten first.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Record:
    """``failures`` that count, and how many purchases there had been at the last of them (or when it was split off)."""

    failures: int
    seen: int


class Suspects:
    """The calls of this process that failed or were refused and may be made again."""

    def __init__(self) -> None:
        # Only hashes of calls: a mistaken one costs a split that was not needed.
        self._records: dict[int, _Record] = {}
        self._purchases = 0
        self._refuses_all = False

    def __contains__(self, call: EmbeddingCall) -> bool:
        return hash(call.hashes) in self._records

    @property
    def refuses_all(self) -> bool:
        """Whether the provider has refused a harmless text and given no vector since."""
        return self._refuses_all

    def note_purchase(self, call: EmbeddingCall | None = None) -> None:
        """Take note that the provider works: it gave vectors for a call, or (None) for a harmless text."""
        self._purchases += 1
        self._refuses_all = False
        if call is not None:
            self.forget(call)

    def note_harmless_refused(self) -> None:
        """Take note that the provider refuses what it has no reason to refuse."""
        self._refuses_all = True

    def note_failure(self, call: EmbeddingCall) -> bool:
        """Count a failure, if it counts; return whether it was the one too many."""
        known = self._records.get(hash(call.hashes), _Record(0, self._purchases))
        if known.failures and known.seen == self._purchases:
            return False
        counted = _Record(known.failures + 1, self._purchases)
        self._remember(call, counted)
        return self._is_guilty(call, counted)

    def note_refusal(self, call: EmbeddingCall) -> None:
        """Remember since when a call is refused; a later refusal changes nothing."""
        known = self._records.get(hash(call.hashes), _Record(0, self._purchases))
        # A refusal of several texts is split at once, so nobody has to look for evidence for it.
        self._remember(call, _Record(max(int(len(call.hashes) == 1), known.failures), known.seen))

    def lacks_evidence(self, call: EmbeddingCall) -> bool:
        """Whether it failed, and nothing else was bought since: the provider may be what is wrong."""
        known = self._records.get(hash(call.hashes))
        return known is not None and known.failures > 0 and known.seen == self._purchases

    def was_alone(self, embed_hash: bytes) -> bool:
        """Whether a text was split off from all others, and is to stay alone."""
        return hash((embed_hash,)) in self._records

    def halve(self, call: EmbeddingCall) -> tuple[EmbeddingCall, EmbeddingCall]:
        """Split a call. Its halves inherit since when it fails; of a guilty one, their next failure is one too many."""
        known = self._records.get(hash(call.hashes), _Record(0, self._purchases))
        inherited = SPLIT_AFTER - 1 if self._is_guilty(call, known) else 0
        halves = halve(call)
        for half in halves:
            if half not in self:
                self._remember(half, _Record(inherited if len(half.hashes) > 1 else 0, known.seen))
        return halves

    def arranged(self, calls: Iterable[EmbeddingCall]) -> list[EmbeddingCall]:
        """Return the calls with the guilty ones split without being sent again, and those under suspicion last."""
        pending, arranged = deque(calls), []
        while pending:
            call = pending.popleft()
            known = self._records.get(hash(call.hashes))
            if known is not None and len(call.hashes) > 1 and self._is_guilty(call, known):
                pending.extend(self.halve(call))
            else:
                arranged.append(call)
        return sorted(arranged, key=self.__contains__)

    def forget(self, call: EmbeddingCall) -> None:
        """Begin anew with a call."""
        self._records.pop(hash(call.hashes), None)

    def _is_guilty(self, call: EmbeddingCall, record: _Record) -> bool:
        return record.failures >= (SPLIT_AFTER if len(call.hashes) > 1 else REFUSE_AFTER)

    def _remember(self, call: EmbeddingCall, record: _Record) -> None:
        self.forget(call)  # so that it is the youngest
        self._records[hash(call.hashes)] = record
        while len(self._records) > _REMEMBERED:
            del self._records[next(iter(self._records))]
