"""Leave out one part of the sparse ranking after another: a part that costs nothing when it is gone is none to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.search_figures import figures, named
from benchmarks.search_ranking import pieces_of, sparse_rankings
from benchmarks.search_set import SearchSet
from pipeline import sparse
from pipeline.chunk import ChunkBudget

_PARTS: Mapping[str, Mapping[str, Any]] = {
    "header's lines count once": {"PATH_WEIGHT": 1, "SCOPE_WEIGHT": 1, "DEFINES_WEIGHT": 1},
    "no stems": {"_stems": lambda words: ()},  # noqa: ARG005  stands in for it
    "no pairs": {"_pairs": lambda words: (), "_joined": lambda words: ()},  # noqa: ARG005  the same
    "no silent words": {"SILENT_WORDS": frozenset()},
    "k1 = 1.2, b = 0.75": {"K1": 1.2, "B": 0.75},
}
#: What to change for each variant; the last one is BM25 over the words of identifiers, as it is in textbooks.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "all of it": {"K1": sparse.K1},
    **_PARTS,
    "none of these": {name: value for part in _PARTS.values() for name, value in part.items()},
}


def ablations(sets: Sequence[SearchSet]) -> Iterator[dict[str, object]]:
    """Measure the sparse mode with each of its parts left out, at the default budget."""
    indexed = [(one, pieces_of(one, ChunkBudget(), with_header=True)) for one in sets]
    print(f"| R@5, cov@4k | {' | '.join(one.name for one in sets)} |\n|{'---|' * (1 + len(sets))}")
    for name, changes in ABLATIONS.items():
        with patch.multiple(sparse, **changes), _no_terms_kept():
            found = [
                figures(one, pieces, sparse_rankings(pieces, [query.text for query in one.queries]))
                for one, pieces in indexed
            ]
        means = [named(each.mean(axis=0)) for each in found]
        cells = " | ".join(f"{mean['R@5']:.3f}, {mean['cov@4k']:.3f}" for mean in means)
        print(f"| {name} | {cells} |", flush=True)
        yield {"variant": name, "sets": {one.name: mean for one, mean in zip(sets, means, strict=True)}}


@contextmanager
def _no_terms_kept() -> Iterator[None]:
    """Keep no term that was made with other parts, before and after."""
    forget = sparse._terms.cache_clear  # noqa: SLF001  what is changed is private too
    forget()
    try:
        yield
    finally:
        forget()
