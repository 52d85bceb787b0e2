"""Join neighbouring atoms into chunks, so that an edit changes chunks only where it is.

First the cuts are undone that should not be made (inside a line, between a comment and its code), up to the limit.
Then pairs are joined up to the target, in one of three ways. ``balanced`` has the smallest pieces find a neighbour
first: one on their own level of the outline (not the tail of one function and the start of the next) if they can,
and one that is not well filled already. Sizes are only told apart by powers of two, and among pairs alike the text
behind their cut decides: an edit that changes a size by some lines seldom changes who is joined to whom elsewhere.
``definition`` does the same, but leaves a definition that is large enough to stand alone. ``greedy`` goes from left
to right: the fullest chunks, but a line that is added moves every later boundary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from heapq import heapify, heappop, heappush, heapreplace
from zlib import adler32

from pipeline.chunk_atoms import RANK_BYTES, Atom

#: Share of the target above which a piece is well filled.
WELL_FILLED = 0.5
#: Share of the target from which on a definition stands alone.
ALONE = 0.2
#: A smaller share than that is taken in even by a definition that stands alone.
CRUMB = 0.1
#: No more crossed levels are told apart.
MAX_LEVELS = 31

#: A pair's place in the queue is one number, which compares faster than a tuple: from the highest bit down whether it
#: is loose, the size of its smaller piece in bits, the crossed levels, whether the larger piece is well filled, a
#: checksum of what is behind its cut (Adler's takes half as long as others), and the left atom's index.
_LOOSE = 64
#: Bits of the crossed levels and of being well filled.
_SHAPE_BITS = MAX_LEVELS.bit_length() + 1
_CHECKSUM_BITS = 32
#: The place of a pair that may not be joined.
_NEVER = -1
#: The place of a pair that has to be found anew.
_STALE = -2


class Packing(StrEnum):
    """How atoms are joined up to the target."""

    BALANCED = "balanced"
    DEFINITION = "definition"
    GREEDY = "greedy"


class Packer:
    """One run over the atoms of one text. An atom that took in its right neighbour keeps its index."""

    def __init__(
        self, text: bytes, atoms: Iterable[Atom], limit: int, target: int, packing: Packing = Packing.BALANCED
    ) -> None:
        self._text = text
        self._limit = limit
        self._target = target
        self._loose_limit = 0 if packing is Packing.GREEDY else target
        self._packing = packing
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._depths: list[int] = []
        self._levels: list[int] = []
        self._glued: list[bool] = []
        self._alone: list[bool] = []
        self._take(atoms)
        self._index_bits = len(self._ends).bit_length()
        self._before = list(range(-1, len(self._ends) - 1))
        self._after = list(range(1, len(self._ends) + 1))

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

    def _take(self, atoms: Iterable[Atom]) -> None:
        """Take in the atoms. What is glued together and fits as a whole is one at once: nothing would part it."""
        starts, ends, depths, levels = self._starts, self._ends, self._depths, self._levels
        glued, alone, limit = self._glued, self._alone, self._limit
        least_alone = ALONE * self._target if self._packing is Packing.DEFINITION else limit + 1
        first = 0
        for start, end, depth, level, is_glued, _, is_definition in atoms:
            if not is_glued:
                if len(starts) - first > 1:
                    self._join_run(first)
                first = len(starts)
            starts.append(start)
            ends.append(end)
            depths.append(depth)
            levels.append(level)
            glued.append(is_glued)
            alone.append(is_definition and end - start >= least_alone)
        if len(starts) - first > 1:
            self._join_run(first)

    def _join_run(self, first: int) -> None:
        """Make one atom of those from the index ``first`` on, unless it were above the limit."""
        if self._ends[-1] - self._starts[first] <= self._limit:
            self._ends[first:] = self._ends[-1:]
            self._depths[first:] = [min(self._depths[first:])]
            self._alone[first:] = [any(self._alone[first:])]
            for column in (self._starts, self._levels, self._glued):
                del column[first + 1 :]

    def _join_smallest_first(self) -> None:
        """Join the pair that comes first, until there is none to be joined.

        When an atom has grown, the pair with the one before it comes later, unless it is less deep now. So that pair
        most often keeps its place in the heap until it comes up, and is only then told its new one, or that there is
        none: half of the work of telling each time.
        """
        ends, depths, alone, before, after = self._ends, self._depths, self._alone, self._before, self._after
        count, key_of, index_mask = len(ends), self._keys(), (1 << self._index_bits) - 1
        keys = [key_of(i) for i in range(count)]
        heap = [key for key in keys if key >= 0]
        heapify(heap)
        while heap:
            key = heap[0]
            left = key & index_mask
            is_joined = keys[left] == key
            if is_joined:
                right, depth = after[left], depths[left]
                ends[left] = ends[right]
                depths[left] = min(depth, depths[right])
                alone[left] |= alone[right]
                after[left] = following = after[right]
                if following < count:
                    before[following] = left
                keys[right] = _NEVER
            elif keys[left] != _STALE:
                heappop(heap)  # it has been joined, or has another place by now
                continue
            keys[left] = key = key_of(left)
            if key >= 0:
                heapreplace(heap, key)
            else:
                heappop(heap)
            if is_joined and (previous := before[left]) >= 0 and keys[previous] != _NEVER:
                keys[previous] = _STALE
                if depths[left] < depth:
                    keys[previous] = key = key_of(previous)
                    if key >= 0:
                        heappush(heap, key)

    def _keys(self) -> Callable[[int], int]:
        """Return what tells the key of an atom and its right neighbour: their place in the queue, negative if never.

        It is asked ten times for each chunk, and its own names are found faster than those of an object.
        """
        starts, ends, depths, levels = self._starts, self._ends, self._depths, self._levels
        glued, alone, after, count = self._glued, self._alone, self._after, len(self._ends)
        limit, loose_limit, crumb = self._limit, self._loose_limit, CRUMB * self._target
        text, well_filled = self._text, int(self._target * WELL_FILLED)
        ranks = [adler32(text[start : start + RANK_BYTES]) for start in starts]
        index_bits = self._index_bits

        def key_of(left: int) -> int:
            right = after[left]
            if right == count:
                return _NEVER
            middle = starts[right]
            smaller, larger = middle - starts[left], ends[right] - middle
            if smaller > larger:
                smaller, larger = larger, smaller
            if glued[right]:
                if smaller + larger > limit:
                    return _NEVER
                key = smaller.bit_length() << _SHAPE_BITS
            elif smaller + larger > loose_limit or ((alone[left] or alone[right]) and smaller >= crumb):
                return _NEVER
            else:
                key = smaller.bit_length() + _LOOSE << _SHAPE_BITS
            level = levels[right]
            if depths[left] > level or depths[right] > level:
                key += min(max(depths[left], depths[right]) - level, MAX_LEVELS) << 1
            if larger > well_filled:
                key += 1
            return ((key << _CHECKSUM_BITS) + ranks[right] << index_bits) + left

        return key_of
