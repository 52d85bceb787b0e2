"""Every index keeps the promises of ``pipeline.ports.Index``: the fake, the sidecar and a real Qdrant."""

from __future__ import annotations

import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest

from pipeline.errors import DimensionMismatch
from pipeline.search import SearchVectors
from pipeline.types import EmbeddingModel, Point, PointMove, Retirement, Scope, SearchFilter, Vector

ANY = SearchFilter()
NORTH = (1.0, 0.0, 0.0, 0.0)


def vector(*numbers: float) -> Vector:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def point(
    generation: int = 1, numbers: tuple[float, ...] = NORTH, point_id: UUID | None = None, **payload: object
) -> Point:
    facts = {"path": "a.py", "language": "python", "kind": "function", "scope": ["A", "b"], "start_line": 1}
    return Point(point_id or uuid4(), generation, vector(*numbers), facts | payload)


def near(numbers: Vector) -> SearchVectors:
    return SearchVectors(numbers)


def others(scope: Scope) -> list[Scope]:
    """Another tenant with the same project, and another project of the same tenant."""
    return [Scope(uuid4(), scope.project_id), Scope(scope.tenant_id, uuid4())]


def test_ensure_twice_changes_nothing(index, scope):
    index.upsert(scope, [point()])
    index.ensure()
    assert index.count(scope) == 1


def test_two_processes_may_ensure_at_once(backend, fresh_model, scope):
    indexes = [backend.index(fresh_model) for _ in range(4)]
    start = threading.Barrier(len(indexes))

    def ensure(index):
        start.wait()
        index.ensure()

    with ThreadPoolExecutor(len(indexes)) as pool:
        assert list(pool.map(ensure, indexes)) == [None] * len(indexes)
    indexes[0].upsert(scope, [point()])
    assert indexes[0].count(scope) == 1


def test_it_answers_a_ping_before_there_is_a_collection(backend, fresh_model):
    backend.index(fresh_model).ping()


def test_vectors_of_other_dimensions_are_refused_and_nothing_is_written(index, scope):
    with pytest.raises(DimensionMismatch):
        index.upsert(scope, [point(), point(numbers=(1.0, 0.0))])
    with pytest.raises(DimensionMismatch):
        index.search(scope, near(vector(1.0)), 3, ANY)
    assert index.count(scope) == 0


def test_what_was_written_reads_back_whole(index, scope):
    written = point(3, name="ünïcode ☃", start_line=2**40)
    index.upsert(scope, [written])
    stored = index.retrieve(scope, [written.id, uuid4()])
    assert list(stored) == [written.id]
    assert stored[written.id].generation == 3
    assert dict(stored[written.id].payload) == {
        **written.payload,
        "tenant": str(scope.tenant_id),
        "project": str(scope.project_id),
        "generation": 3,
    }


def test_the_call_decides_the_scope_whatever_the_payload_says(index, scope):
    stranger = uuid4()
    written = Point(uuid4(), 4, vector(*NORTH), {"tenant": str(stranger), "generation": 99})
    index.upsert(scope, [written])
    assert index.retrieve(scope, [written.id])[written.id].generation == 4
    assert index.count(Scope(stranger, scope.project_id)) == 0


@pytest.mark.parametrize(("later", "survives"), [(4, 5), (5, 5), (6, 6)])
def test_only_an_older_generation_fails_to_overwrite(index, scope, later, survives):
    first = point(5, path="first")
    index.upsert(scope, [first])
    index.upsert(scope, [point(later, (0.0, 1.0, 0.0, 0.0), first.id, path="second")])
    stored = index.retrieve(scope, [first.id])[first.id]
    assert stored.generation == survives
    assert stored.payload["path"] == ("first" if later < 5 else "second")
    (hit,) = index.search(scope, near(first.vector), 1, ANY)
    assert hit.score == pytest.approx(1.0 if later < 5 else 0.0, abs=1e-5)


def test_one_batch_may_mix_generations(index, scope):
    old, new = point(2, path="old"), point(7, path="new")
    index.upsert(scope, [old, new])
    index.upsert(scope, [point(5, point_id=old.id, path="newer"), point(5, point_id=new.id, path="older")])
    stored = index.retrieve(scope, [old.id, new.id])
    assert (stored[old.id].payload["path"], stored[new.id].payload["path"]) == ("newer", "new")


def test_the_newest_of_one_points_generations_in_a_batch_wins(index, scope):
    newest = point(9, path="newest")
    index.upsert(scope, [newest, point(8, point_id=newest.id, path="older")])
    assert index.retrieve(scope, [newest.id])[newest.id].payload["path"] == "newest"


@pytest.mark.parametrize(("later", "moves"), [(4, False), (5, True), (6, True)])
def test_a_move_replaces_the_payload_unless_the_stored_one_is_newer(index, scope, later, moves):
    written = point(5, path="before", name="kept?")
    index.upsert(scope, [written])
    index.move(scope, [PointMove(written.id, later, {"path": "after"})])
    stored = index.retrieve(scope, [written.id])[written.id]
    assert stored.generation == (later if moves else 5)
    assert stored.payload["path"] == ("after" if moves else "before")
    assert ("name" in stored.payload) is not moves
    (hit,) = index.search(scope, near(written.vector), 1, ANY)
    assert (hit.id, hit.score) == (written.id, pytest.approx(1.0, abs=1e-5))


def test_a_move_of_an_absent_point_makes_none(index, scope):
    index.move(scope, [PointMove(uuid4(), 1, {"path": "after"})])
    assert index.count(scope) == 0


@pytest.mark.parametrize(("below", "left"), [(4, 1), (5, 1), (6, 0)])
def test_a_deletion_takes_only_what_is_below_its_bound(index, scope, below, left):
    written = point(5)
    index.upsert(scope, [written])
    index.delete(scope, [Retirement(written.id, below)])
    assert index.count(scope) == left


def test_deletions_with_different_bounds_do_not_mix(index, scope):
    kept, gone = point(5), point(5)
    index.upsert(scope, [kept, gone])
    index.delete(scope, [Retirement(kept.id, 5), Retirement(gone.id, 6), Retirement(uuid4(), 6)])
    assert set(index.retrieve(scope, [kept.id, gone.id])) == {kept.id}


def test_no_other_scope_sees_a_point(index, scope):
    written = point()
    index.upsert(scope, [written])
    for other in others(scope):
        assert index.retrieve(other, [written.id]) == {}
        assert list(index.search(other, near(written.vector), 10, ANY)) == []
        assert index.count(other) == 0


def test_no_other_scope_touches_a_point(index, scope):
    written = point(5, path="mine")
    index.upsert(scope, [written])
    for other in others(scope):
        index.upsert(other, [point(9, point_id=written.id, path="theirs")])
        index.move(other, [PointMove(written.id, 9, {"path": "theirs"})])
        index.delete(other, [Retirement(written.id, 99)])
        assert index.count(other) == 0
    stored = index.retrieve(scope, [written.id])[written.id]
    assert (stored.generation, stored.payload["path"]) == (5, "mine")


def test_hits_come_best_first_by_cosine_and_carry_their_generation(index, scope):
    close = point(2, (5.0, 0.5, 0.0, 0.0))
    middle = point(3, (0.1, 0.1, 0.0, 0.0))
    far = point(4, (-3.0, 0.0, 0.0, 0.0))
    index.upsert(scope, [far, close, middle])
    hits = index.search(scope, near(vector(2.0, 0.0, 0.0, 0.0)), 10, ANY)
    assert [(hit.id, hit.generation) for hit in hits] == [(close.id, 2), (middle.id, 3), (far.id, 4)]
    assert [hit.score for hit in hits] == pytest.approx([0.99504, 0.70711, -1.0], abs=1e-4)


def test_a_search_returns_no_more_than_its_limit(index, scope):
    index.upsert(scope, [point() for _ in range(5)])
    assert len(index.search(scope, near(vector(*NORTH)), 3, ANY)) == 3
    assert list(index.search(scope, near(vector(*NORTH)), 0, ANY)) == []


def test_filters_narrow_a_search(index, scope):
    here, there = uuid4(), uuid4()
    python = point(language="python", kind="class", source=str(here))
    rust = point(language="rust", kind="function", source=str(there))
    markdown = point(language="markdown", kind="section", source=str(there))
    index.upsert(scope, [python, rust, markdown])

    def found(**where):
        return {hit.id for hit in index.search(scope, near(vector(*NORTH)), 10, SearchFilter(**where))}

    assert found(languages=("python", "rust")) == {python.id, rust.id}
    assert found(kinds=("section",)) == {markdown.id}
    assert found(sources=(there,)) == {rust.id, markdown.id}
    assert found(sources=(there,), languages=("rust",)) == {rust.id}
    assert found(languages=("cobol",)) == set()


def test_big_batches_arrive_whole(index, scope):
    points = [point(1 + n % 2, start_line=n) for n in range(700)]
    ids = [each.id for each in points]
    index.upsert(scope, points)
    assert index.count(scope) == 700
    index.move(scope, [PointMove(each.id, 3, {"path": "moved"}) for each in points])
    stored = index.retrieve(scope, ids)
    assert len(stored) == 700
    assert {each.payload["path"] for each in stored.values()} == {"moved"}
    index.delete(scope, [Retirement(point_id, 4) for point_id in ids])
    assert index.count(scope) == 0


def test_empty_inputs_are_fine(index, scope):
    index.upsert(scope, [])
    index.move(scope, [])
    index.delete(scope, [])
    assert index.retrieve(scope, []) == {}


def test_a_dropped_collection_is_made_again_by_the_next_call(backend, fresh_model, scope):
    index = backend.index(fresh_model)
    index.ensure()
    index.upsert(scope, [point()])
    backend.drop(index)
    assert index.count(scope) == 0
    backend.drop(index)
    written = point()
    index.upsert(scope, [written])
    assert set(index.retrieve(scope, [written.id])) == {written.id}
    assert [hit.id for hit in index.search(scope, near(written.vector), 5, ANY)] == [written.id]


def test_models_never_mix(backend, index, scope):
    index.upsert(scope, [point()])
    other = backend.index(EmbeddingModel("contract", f"other-{uuid4()}", 4))
    other.ensure()
    assert other.count(scope) == 0


def test_close_may_be_called_twice(backend, fresh_model):
    index = backend.index(fresh_model)
    index.ensure()
    index.close()
    index.close()
