"""What a ranking is worth: how high the answer stands, and how much of it fits into what a reader has room for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.search_ranking import Piece, Ranking
from benchmarks.search_set import SearchSet

#: The columns of `figures`, in order.
NAMES = ("R@1", "R@5", "R@10", "MRR", "cov@4k")
#: Bytes of retrieved text of which the share of the answer is taken.
WINDOW = 4_000

_RESAMPLES = 2_000

Figures = NDArray[np.float64]


def figures(given: SearchSet, pieces: Sequence[Piece], rankings: Sequence[Ranking]) -> Figures:
    """Return one row for each query: found among the first 1, 5 and 10; 1 / rank; share of the answer in 4,000 bytes.

    A chunk is right where it holds a part of the function that is not blank.
    """
    by_file: dict[int, list[int]] = defaultdict(list)
    for number, piece in enumerate(pieces):
        by_file[piece.file].append(number)
    rows = []
    for query, ranking in zip(given.queries, rankings, strict=True):
        text = given.files[query.file].text
        right = {
            number
            for number in by_file[query.file]
            if text[max(query.start, pieces[number].start) : min(query.end, pieces[number].end)].strip()
        }
        rank = next((place for place, number in enumerate(ranking, 1) if int(number) in right), None)
        found = [rank is not None and rank <= depth for depth in (1, 5, 10)]
        covered = _covered(query.start, query.end, right, pieces, ranking)
        rows.append((*found, 1 / rank if rank else 0.0, covered / (query.end - query.start)))
    return np.array(rows, dtype=np.float64)


def named(means: Sequence[float]) -> dict[str, float]:
    """Return the means of the columns by their names."""
    return {name: round(float(mean), 4) for name, mean in zip(NAMES, means, strict=True)}


def difference(ours: Figures, others: Figures, column: str) -> tuple[float, float, float]:
    """Return the mean difference of one figure over the same queries, and its 95 % interval (paired bootstrap)."""
    change = (ours - others)[:, NAMES.index(column)]
    picks = np.random.default_rng(0).integers(0, len(change), (_RESAMPLES, len(change)))
    low, high = np.quantile(change[picks].mean(axis=1), (0.025, 0.975))
    return float(change.mean()), float(low), float(high)


def _covered(start: int, end: int, right: set[int], pieces: Sequence[Piece], ranking: Ranking) -> int:
    """Return how many bytes of the answer are in the first `WINDOW` bytes of the ranked chunks."""
    covered, room = 0, WINDOW
    for number in map(int, ranking):
        piece = pieces[number]
        shown = min(piece.end, piece.start + room)
        if number in right:
            covered += max(0, min(end, shown) - max(start, piece.start))
        room -= shown - piece.start
        if not room:
            break
    return covered
