"""Join neighbouring atoms into chunks, so that an edit changes chunks only where it is.

First the cuts are undone that should not be made (inside a line, between a comment and its code), the smallest pair
first, up to the limit. Then pairs are joined up to the target, in one of three ways. ``balanced`` takes the smallest
pair first; what crosses levels of the outline (the tail of one function and the start of the next) counts as larger
than it is. ``definition`` does the same, but leaves a definition that is large enough to stand alone. ``greedy`` goes
from left to right: the fullest chunks, but a line that is added moves every later boundary. Ties go to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from heapq import heapify, heappop, heappush

from pipeline.chunk_atoms import Atom

#: Share of the target that each crossed level of the outline counts for.
LEVEL_COST = 0.5
#: Share of the target from which on a definition stands alone.
ALONE = 0.2
#: A smaller share than that is taken in even by a definition that stands alone.
CRUMB = 0.1

#: A pair's place in the queue is ``cost << _INDEX_BITS | left``: one number compares faster than a tuple.
_INDEX_BITS = 32
_NEVER = -1


class Packing(StrEnum):
    """How atoms are joined up to the target."""

    BALANCED = "balanced"
    DEFINITION = "definition"
    GREEDY = "greedy"


class Packer:
    """One run over the atoms of one text. An atom that took in its right neighbour keeps its index."""

    def __init__(self, atoms: Sequence[Atom], limit: int, target: int, packing: Packing = Packing.BALANCED) -> None:
        self._limit = limit
        self._target = target
        self._loose_limit = 0 if packing is Packing.GREEDY else target
        self._packing = packing
        self._level_cost = int(target * LEVEL_COST)
        self._alone = [False] * len(atoms)
        if packing is Packing.DEFINITION:
            self._alone = [atom.is_definition and atom.end - atom.start >= ALONE * target for atom in atoms]
        self._starts = [atom.start for atom in atoms]
        self._ends = [atom.end for atom in atoms]
        self._depths = [atom.depth for atom in atoms]
        self._levels = [atom.level for atom in atoms]
        self._glued = [atom.is_glued for atom in atoms]
        self._before = list(range(-1, len(atoms) - 1))
        self._after = list(range(1, len(atoms) + 1))
        self._costs = [_NEVER] * len(atoms)

    def ends(self) -> list[int]:
        """Return where each chunk ends, in ascending order."""
        self._join_smallest_first()
        ends: list[int] = []
        at, start = 0, 0
        while at < len(self._ends):
            if self._packing is Packing.GREEDY and ends and self._ends[at] - start <= self._target:
                ends.pop()
            else:
                start = self._starts[at]
            ends.append(self._ends[at])
            at = self._after[at]
        return ends

    def _join_smallest_first(self) -> None:
        costs = self._costs
        for i in range(len(costs) - 1):
            costs[i] = self._cost(i)
        heap = [cost << _INDEX_BITS | i for i, cost in enumerate(costs) if cost >= 0]
        heapify(heap)
        mask = (1 << _INDEX_BITS) - 1
        while heap:
            pair = heappop(heap)
            left = pair & mask
            if costs[left] != pair >> _INDEX_BITS:
                continue  # an outdated entry: one of the two has grown since
            self._join(left)
            for i in (self._before[left], left):
                if i >= 0:
                    costs[i] = cost = self._cost(i)
                    if cost >= 0:
                        heappush(heap, cost << _INDEX_BITS | i)

    def _cost(self, left: int) -> int:
        """Return what joining an atom with its right neighbour costs, negative where it is not to be done."""
        right = self._after[left]
        if right == len(self._ends):
            return _NEVER
        size = self._ends[right] - self._starts[left]
        if self._glued[right]:
            return size if size <= self._limit else _NEVER
        if size > self._loose_limit or ((self._alone[left] or self._alone[right]) and self._are_large(left, right)):
            return _NEVER
        level = self._levels[right]
        depth = self._depths[left]
        depth = max(depth, self._depths[right])
        return self._limit + size + (self._level_cost * (depth - level) if depth > level else 0)

    def _are_large(self, left: int, right: int) -> bool:
        smaller = min(self._ends[left] - self._starts[left], self._ends[right] - self._starts[right])
        return smaller >= CRUMB * self._target

    def _join(self, left: int) -> None:
        """Let an atom take in its right neighbour."""
        right = self._after[left]
        following = self._after[right]
        self._ends[left] = self._ends[right]
        self._depths[left] = min(self._depths[left], self._depths[right])
        self._alone[left] |= self._alone[right]
        self._after[left] = following
        if following < len(self._ends):
            self._before[following] = left
        self._costs[right] = _NEVER
