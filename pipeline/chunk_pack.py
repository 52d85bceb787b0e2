"""Join neighbouring atoms into chunks, the smallest pair first, so that an edit changes chunks only where it is.

Packing from left to right would move every later boundary when a line is added; here a boundary depends on what is
around it. Cuts that should not be made (inside a line, between a comment and its code) are undone first, up to the
limit. Then pairs are joined up to the target, smallest first; what crosses levels of the outline (the tail of one
function and the start of the next) counts as larger than it is. Ties go to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from pipeline.chunk_atoms import Atom

#: Share of the target that each crossed level of the outline counts for.
LEVEL_COST = 0.3

#: (0 glued or 1, cost, left atom, version of left, version of right)
_Pair = tuple[int, int, int, int, int]


class Packing:
    """One run over the atoms of one text. An atom that took in its right neighbour keeps its index."""

    def __init__(self, atoms: Sequence[Atom], limit: int, target: int) -> None:
        self._atoms = atoms
        self._limit = limit
        self._target = target
        self._level_cost = int(target * LEVEL_COST)
        self._ends = [atom.end for atom in atoms]
        self._depths = [atom.depth for atom in atoms]
        self._before = list(range(-1, len(atoms) - 1))
        self._after = list(range(1, len(atoms) + 1))
        self._versions = [0] * len(atoms)

    def ends(self) -> list[int]:
        """Return where each chunk ends, in ascending order."""
        heap = [pair for i in range(len(self._atoms) - 1) if (pair := self._pair(i)) is not None]
        heapify(heap)
        versions = self._versions
        while heap:
            _, _, left, left_version, right_version = heappop(heap)
            if versions[left] != left_version or versions[self._after[left]] != right_version:
                continue
            self._join(left)
            for i in (self._before[left], left):
                pair = self._pair(i) if i >= 0 else None
                if pair is not None:
                    heappush(heap, pair)
        return [end for end, version in zip(self._ends, versions, strict=True) if version >= 0]

    def _pair(self, left: int) -> _Pair | None:
        """Return what joining an atom with its right neighbour costs, None where it is not to be done."""
        right = self._after[left]
        if right == len(self._atoms):
            return None
        cut = self._atoms[right]
        size = self._ends[right] - self._atoms[left].start
        versions = self._versions[left], self._versions[right]
        if cut.is_glued:
            return (0, size, left, *versions) if size <= self._limit else None
        if size > self._target:
            return None
        levels = max(self._depths[left], self._depths[right], cut.level) - cut.level
        return (1, size + self._level_cost * levels, left, *versions)

    def _join(self, left: int) -> None:
        """Let an atom take in its right neighbour; -1 marks the one that is gone."""
        right = self._after[left]
        following = self._after[right]
        self._ends[left] = self._ends[right]
        self._depths[left] = min(self._depths[left], self._depths[right])
        self._after[left] = following
        if following < len(self._atoms):
            self._before[following] = left
        self._versions[left] += 1
        self._versions[right] = -1
