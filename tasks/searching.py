"""Search a project: ask the index, show only what the ledger has committed.

A point that a late writer left behind has no committed chunk, and chunks of one definition may be shown as one; so the
index is asked for more until enough hits stand or it has no more. What needs no embedding makes no embedding call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.ports import Index, QueryEmbedder
from pipeline.report import SearchHit
from pipeline.search import SearchMode, SearchRequest, SearchVectors
from pipeline.sparse import query_vector
from pipeline.types import Hit, Scope

#: Hits asked for beyond those wanted, so that a few invisible ones cost no second request.
MARGIN = 16
#: Hits asked for at most.
LIMIT = 4_096


class CommittedChunks(Protocol):
    """The ledger's side of a search."""

    def join(self, scope: Scope, hits: Sequence[Hit], *, expand: bool = False) -> list[SearchHit]:
        """Return the hits that committed chunks stand for, in their order, with their text."""


def search(
    index: Index, embedder: QueryEmbedder, chunks: CommittedChunks, scope: Scope, request: SearchRequest
) -> list[SearchHit]:
    """Return the best chunks for a query, best first.

    Raises:
        ServiceUnavailable: Index, ledger or provider does not answer.
    """
    vectors = _vectors(embedder, request)
    if vectors is None:
        return []
    wanted = request.limit + MARGIN
    while True:
        hits = index.search(scope, vectors, wanted, request.where)
        found = chunks.join(scope, hits, expand=request.expand)
        if len(found) >= request.limit or len(hits) < wanted or wanted >= LIMIT:
            return found[: request.limit]
        wanted = min(LIMIT, wanted * 4)


def _vectors(embedder: QueryEmbedder, request: SearchRequest) -> SearchVectors | None:
    """Return what to look for; None where a search by words has none, so that nothing can be found."""
    dense = None if request.mode is SearchMode.SPARSE else embedder.embed_query(request.query)
    words = None if request.mode is SearchMode.DENSE else query_vector(request.query)
    sparse = words if words is not None and words.indices else None
    return None if dense is None and sparse is None else SearchVectors(dense, sparse)
