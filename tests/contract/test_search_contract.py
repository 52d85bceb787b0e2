"""Every index ranks by meaning, by words or both, and filters before that: the fake, the sidecar, a real Qdrant."""

from __future__ import annotations

import math
import struct
from uuid import UUID, uuid4

import pytest

from pipeline.search import RRF_K, SearchVectors, places_of
from pipeline.sparse import SparseVector, document_vector, query_vector
from pipeline.types import EmbeddingModel, Point, PointMove, Scope, SearchFilter, Vector

ANY = SearchFilter()
NORTH = struct.pack("<4f", 1, 0, 0, 0)
EAST = struct.pack("<4f", 0, 1, 0, 0)
BETWEEN = struct.pack("<4f", 1, 1, 0, 0)


@pytest.fixture
def alone(backend, fresh_model):
    """An index of the test's own, for scores that depend on everything in it."""
    made = backend.index(fresh_model)
    made.ensure()
    yield made
    backend.drop(made)


def point(text: str, vector: Vector = NORTH, point_id: UUID | None = None, **payload: object) -> Point:
    return Point(point_id or uuid4(), 1, vector, payload, document_vector(text))


def words(text: str) -> SearchVectors:
    return SearchVectors(None, query_vector(text))


def found(index, scope, vectors: SearchVectors, where: SearchFilter = ANY) -> list[UUID]:
    return [hit.id for hit in index.search(scope, vectors, 10, where)]


def test_a_search_by_words_finds_only_what_shares_one(index, scope):
    basket, order, neither = point("def fill_basket"), point("class OrderLine"), point("x = 1")
    index.upsert(scope, [basket, order, neither])
    assert found(index, scope, words("basket")) == [basket.id]
    assert found(index, scope, words("order line of a class")) == [order.id]
    assert found(index, scope, words("absent")) == []


def test_a_rare_word_counts_more_than_a_common_one(alone, scope):
    common = [point("common") for _ in range(8)]
    rare = point("rare")
    alone.upsert(scope, [*common, rare])
    assert found(alone, scope, words("common rare"))[0] == rare.id


def test_a_score_by_words_is_the_sum_of_products_with_the_idf_of_the_whole_index(alone, scope):
    here, there = Scope(uuid4(), uuid4()), Scope(uuid4(), uuid4())
    one = Point(uuid4(), 1, NORTH, {}, SparseVector((3, 5), (2.0, 0.5)))
    alone.upsert(here, [one, Point(uuid4(), 1, NORTH, {}, SparseVector((3,), (1.0,)))])
    alone.upsert(there, [Point(uuid4(), 1, NORTH, {}, SparseVector((3, 9), (1.0, 1.0)))])
    alone.upsert(there, [Point(uuid4(), 1, NORTH, {})])

    def idf(occurrences: int) -> float:
        return math.log(1 + (3 - occurrences + 0.5) / (occurrences + 0.5))

    hits = alone.search(here, SearchVectors(None, SparseVector((3, 5), (1.0, 4.0))), 10, ANY)
    assert hits[0].id == one.id
    assert hits[0].score == pytest.approx(2.0 * idf(3) + 4.0 * 0.5 * idf(1), rel=1e-3)


def test_both_rankings_are_fused_by_reciprocal_rank(alone, scope):
    both, near, wordy = point("basket", BETWEEN), point("other", EAST), point("basket basket basket", NORTH)
    alone.upsert(scope, [both, near, wordy])
    hits = alone.search(scope, SearchVectors(EAST, query_vector("basket")), 10, ANY)
    # Near is the first by meaning, the others the second and third; wordy is the first by words, both the second.
    scores = [
        (wordy.id, 1 / RRF_K + 1 / (RRF_K + 2)),
        (both.id, 1 / (RRF_K + 1) + 1 / (RRF_K + 1)),
        (near.id, 1 / RRF_K),
    ]
    assert [hit.id for hit in hits] == [point_id for point_id, _ in scores]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in scores], abs=1e-6)


def test_a_fused_search_returns_no_more_than_its_limit(index, scope):
    index.upsert(scope, [point("basket") for _ in range(5)])
    assert len(index.search(scope, SearchVectors(NORTH, query_vector("basket")), 3, ANY)) == 3


@pytest.mark.parametrize("vectors", [words("basket"), SearchVectors(NORTH, query_vector("basket"))])
def test_no_other_scope_is_searched(index, scope, vectors):
    mine = point("basket")
    index.upsert(scope, [mine])
    for other in (Scope(uuid4(), scope.project_id), Scope(scope.tenant_id, uuid4())):
        index.upsert(other, [point("basket")])
        assert mine.id not in found(index, other, vectors)
    assert found(index, scope, vectors) == [mine.id]


@pytest.mark.parametrize(
    "vectors", [SearchVectors(NORTH), words("basket"), SearchVectors(NORTH, query_vector("basket"))]
)
def test_filters_hold_in_every_mode(index, scope, vectors):
    source = uuid4()
    python = point("basket", language="python", kind="class", source=str(source), places=places_of("src/shop/a.py"))
    rust = point("basket", language="rust", kind="function", places=places_of("src/shop/inner/b.rs"))
    beside = point("basket", language="rust", kind="function", places=places_of("src/shopping/c.rs"))
    index.upsert(scope, [python, rust, beside])

    def hits(**where) -> set[UUID]:
        return set(found(index, scope, vectors, SearchFilter(**where)))

    assert hits(languages=("python",)) == hits(kinds=("class",)) == hits(sources=(source,)) == {python.id}
    assert hits(places=("src",)) == {python.id, rust.id, beside.id}
    assert hits(places=("src/shop",)) == {python.id, rust.id}
    assert hits(places=("src/shop/inner", "src/shopping/c.rs")) == {rust.id, beside.id}
    assert hits(places=("src/shop",), languages=("rust",)) == {rust.id}
    assert hits(places=("shop",)) == hits(places=("src/sho",)) == set()


@pytest.mark.parametrize(
    "vectors", [SearchVectors(NORTH), words("basket"), SearchVectors(NORTH, query_vector("basket"))]
)
def test_traits_are_asked_for_and_left_out_in_every_mode(index, scope, vectors):
    plain, tested = point("basket", traits=[]), point("basket", traits=["test"])
    both, older = point("basket", traits=["generated", "test"]), point("basket")
    index.upsert(scope, [plain, tested, both, older])

    def hits(**where) -> set[UUID]:
        return set(found(index, scope, vectors, SearchFilter(**where)))

    assert hits(exclude=("test",)) == {plain.id, older.id}
    assert hits(exclude=("generated", "vendored")) == {plain.id, tested.id, older.id}
    assert hits(only=("test",)) == {tested.id, both.id}
    assert hits(only=("lock", "generated")) == {both.id}
    assert hits(only=("test",), exclude=("generated",)) == {tested.id}
    assert hits(only=("lock",)) == set()


def test_filters_come_before_the_limit(index, scope):
    wanted = point("basket", EAST, places=["wanted"])
    index.upsert(scope, [*(point("basket basket", NORTH, places=["other"]) for _ in range(200)), wanted])
    for vectors in (SearchVectors(NORTH), words("basket"), SearchVectors(NORTH, query_vector("basket"))):
        hits = index.search(scope, vectors, 1, SearchFilter(places=("wanted",)))
        assert [hit.id for hit in hits] == [wanted.id]


def test_a_rewritten_point_is_found_by_its_new_words_only(index, scope):
    first = point("before")
    index.upsert(scope, [first])
    index.upsert(scope, [point("after", point_id=first.id)])
    assert found(index, scope, words("before")) == []
    assert found(index, scope, words("after")) == [first.id]


def test_a_moved_point_keeps_its_words(index, scope):
    written = point("basket", places=["a.py"])
    index.upsert(scope, [written])
    index.move(scope, [PointMove(written.id, 2, {"places": ["a.py"], "start_line": 7})])
    assert found(index, scope, words("basket")) == [written.id]


def test_a_point_without_words_is_found_by_meaning_alone(index, scope):
    silent = point("+-*/")
    index.upsert(scope, [silent, point("basket", EAST)])
    assert found(index, scope, words("basket")) != [silent.id]
    assert found(index, scope, SearchVectors(NORTH))[0] == silent.id
    assert set(found(index, scope, SearchVectors(NORTH, query_vector("basket")))) >= {silent.id}


def test_a_search_by_words_of_a_dropped_collection_finds_nothing(backend, fresh_model, scope):
    index = backend.index(fresh_model)
    index.ensure()
    index.upsert(scope, [point("basket")])
    backend.drop(index)
    assert found(index, scope, words("basket")) == []


def test_equal_scores_come_in_the_order_of_their_ids(index, scope):
    index.upsert(scope, [point("basket") for _ in range(9)])
    for vectors in (SearchVectors(NORTH), words("basket")):
        hits = index.search(scope, vectors, 10, ANY)
        assert len({hit.score for hit in hits}) == 1
        assert [hit.id for hit in hits] == sorted(hit.id for hit in hits)


def test_every_model_has_its_own_statistics(backend, alone, scope):
    alone.upsert(scope, [point("basket")])
    other = backend.index(EmbeddingModel("contract", f"other-{uuid4()}", 4))
    other.ensure()
    assert found(other, scope, words("basket")) == []
