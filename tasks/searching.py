"""Search a project: ask the index, show only what the ledger has committed.

A point that a late writer left behind has no committed chunk, so it is asked past: the index is asked for more until
enough hits stand or it has no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.ports import Embedder, Index
from pipeline.report import SearchHit
from pipeline.types import Hit, Scope, SearchFilter

#: Hits asked for beyond those wanted, so that a few invisible ones cost no second request.
MARGIN = 16
#: Hits asked for at most.
LIMIT = 4_096


class CommittedChunks(Protocol):
    """The ledger's side of a search."""

    def join(self, scope: Scope, hits: Sequence[Hit]) -> list[SearchHit]:
        """Return the hits that committed chunks stand for, in their order, with their text."""


def search(
    index: Index,
    embedder: Embedder,
    chunks: CommittedChunks,
    scope: Scope,
    query: str,
    limit: int,
    where: SearchFilter | None = None,
) -> list[SearchHit]:
    """Return the ``limit`` best chunks for a query, best first.

    Raises:
        ServiceUnavailable: Index, ledger or provider does not answer.
    """
    vector = embedder.embed_query(query)
    wanted = limit + MARGIN
    while True:
        hits = index.search(scope, vector, wanted, where or SearchFilter())
        found = chunks.join(scope, hits)
        if len(found) >= limit or len(hits) < wanted or wanted >= LIMIT:
            return found[:limit]
        wanted = min(LIMIT, wanted * 4)
