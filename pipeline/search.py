"""What a search asks for, and what its words mean: the mode, the places it is confined to, how two rankings become one.

*dense* ranks by the similarity of embeddings, *sparse* by the words that query and chunk share, rare ones counting
most. *hybrid* asks both and fuses the two rankings by reciprocal rank (Cormack, Clarke and Büttcher, 2009): a chunk's
score is the sum of ``1 / (RRF_K + rank)`` over the rankings that it is in, the best having rank 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pipeline.choices import SearchMode as SearchMode  # noqa: PLC0414  all but the command line take it from here
from pipeline.sparse import SparseVector
from pipeline.types import EmbeddingModel, SearchFilter, Vector

#: How little the first places of a ranking weigh more than the next; the value of the paper.
RRF_K = 60

#: How deep each ranking is fused, at least: what is good in both may be first in neither.
FUSED_AT_LEAST = 128


@dataclass(frozen=True, slots=True)
class SearchVectors:
    """What the index looks for: one vector, or both, whose rankings it then fuses.

    Raises:
        ValueError: There is none.
    """

    dense: Vector | None = None
    sparse: SparseVector | None = None

    def __post_init__(self) -> None:
        if self.dense is None and self.sparse is None:
            raise ValueError("a search needs a vector")


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query, how many hits are wanted, and of what. ``expand``: show the definitions that the hits are parts of."""

    query: str
    limit: int
    mode: SearchMode
    where: SearchFilter = field(default_factory=SearchFilter)
    expand: bool = False


def default_mode(model: EmbeddingModel) -> SearchMode:
    """Return the mode that suits a model: fusing a ranking that knows no meaning with one of words makes it worse."""
    return SearchMode.HYBRID if model.is_semantic else SearchMode.SPARSE


def fused_depth(limit: int) -> int:
    """Return how many of each ranking are fused for so many hits."""
    return max(2 * limit, FUSED_AT_LEAST)


def places_of(path: str) -> list[str]:
    """Return the directories that a document is in, from the outside in, and its own path at the end."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def places_from(paths: Iterable[str]) -> tuple[str, ...]:
    """Return paths as ``places_of`` spells them, without ``.`` and slashes too many; none where one is everywhere."""
    places = tuple("/".join(part for part in path.split("/") if part not in {"", "."}) for path in paths)
    return places if all(places) else ()
