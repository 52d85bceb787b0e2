"""A search asks past what the ledger does not show, and no further than it must."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pipeline.report import SearchHit
from pipeline.search import SearchMode, SearchRequest, SearchVectors
from pipeline.sparse import query_vector
from pipeline.testing import FakeIndex, RecordingEmbedder, hashed_vector
from pipeline.types import Hit, Point, Scope, SearchFilter
from tasks.searching import LIMIT, MARGIN, search

SCOPE = Scope(UUID(int=1), UUID(int=2))
EMBEDDER = RecordingEmbedder()


class CountingIndex(FakeIndex):
    """Remembers how many hits were asked for."""

    def __init__(self, points: int) -> None:
        super().__init__(EMBEDDER.model)
        self.limits: list[int] = []
        self.asked: list[SearchVectors] = []
        vector = hashed_vector("text", EMBEDDER.model.dims)
        self.upsert(SCOPE, [Point(UUID(int=number), 1, vector, {}) for number in range(points)])

    def search(self, scope: Scope, vectors: SearchVectors, limit: int, where: SearchFilter) -> Sequence[Hit]:
        self.limits.append(limit)
        self.asked.append(vectors)
        return super().search(scope, vectors, limit, where)


class Committed:
    """Shows the points from ``first`` on."""

    def __init__(self, first: int) -> None:
        self._first = first

    def join(self, scope: Scope, hits: Sequence[Hit], *, expand: bool = False) -> list[SearchHit]:
        shown = [hit for hit in hits if hit.id.int >= self._first]
        return [SearchHit(str(hit.id.int), 1, 1, "text", "file", "", (), hit.score, "") for hit in shown]


def find(index: FakeIndex, first: int, limit: int) -> list[SearchHit]:
    request = SearchRequest("query", limit, SearchMode.DENSE)
    return search(index, RecordingEmbedder(), Committed(first), SCOPE, request)


def test_the_best_are_returned_and_no_more_than_wanted() -> None:
    index = CountingIndex(50)
    assert [hit.path for hit in find(index, 0, 5)] == ["0", "1", "2", "3", "4"]
    assert index.limits == [5 + MARGIN]


def test_a_few_invisible_hits_cost_no_second_request() -> None:
    index = CountingIndex(50)
    assert [hit.path for hit in find(index, MARGIN, 2)] == [str(MARGIN), str(MARGIN + 1)]
    assert len(index.limits) == 1


def test_many_invisible_hits_are_asked_past() -> None:
    index = CountingIndex(400)
    assert [hit.path for hit in find(index, 200, 3)] == ["200", "201", "202"]
    assert index.limits == sorted(set(index.limits))


def test_an_index_that_has_no_more_ends_the_search() -> None:
    index = CountingIndex(30)
    assert len(find(index, 25, 20)) == 5
    assert len(index.limits) == 1


def test_a_search_gives_up_at_the_limit() -> None:
    index = CountingIndex(LIMIT + 500)
    assert find(index, LIMIT + 100, 5) == []
    assert index.limits[-1] == LIMIT


def test_nothing_is_found_in_nothing() -> None:
    assert find(CountingIndex(0), 0, 5) == []


# --- the modes


def test_each_mode_asks_for_what_it_ranks_by_in_one_request() -> None:
    words = query_vector("query text")
    vector = hashed_vector("query text", EMBEDDER.model.dims)
    expected = {
        SearchMode.DENSE: SearchVectors(vector),
        SearchMode.SPARSE: SearchVectors(None, words),
        SearchMode.HYBRID: SearchVectors(vector, words),
    }
    for mode, vectors in expected.items():
        index = CountingIndex(3)
        search(index, RecordingEmbedder(), Committed(0), SCOPE, SearchRequest("query text", 5, mode))
        assert index.asked == [vectors]


def test_a_search_by_words_makes_no_embedding_call() -> None:
    embedder = RecordingEmbedder()
    search(CountingIndex(3), embedder, Committed(0), SCOPE, SearchRequest("query", 5, SearchMode.SPARSE))
    assert embedder.queries == []


def test_a_query_without_words_finds_nothing_by_words_and_what_is_near_otherwise() -> None:
    index = CountingIndex(3)
    for mode, found in [(SearchMode.SPARSE, 0), (SearchMode.HYBRID, 3)]:
        request = SearchRequest("+-*/", 5, mode)
        assert len(search(index, RecordingEmbedder(), Committed(0), SCOPE, request)) == found
    assert [vectors.sparse for vectors in index.asked] == [None]


def test_the_ledger_is_told_to_expand() -> None:
    told: list[bool] = []

    class Expanding(Committed):
        def join(self, scope: Scope, hits: Sequence[Hit], *, expand: bool = False) -> list[SearchHit]:
            told.append(expand)
            return super().join(scope, hits)

    for expand in (True, False):
        request = SearchRequest("query", 2, SearchMode.DENSE, expand=expand)
        search(CountingIndex(3), RecordingEmbedder(), Expanding(0), SCOPE, request)
    assert told == [True, False]
