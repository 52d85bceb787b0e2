"""The merge finds exactly what a comparison of two sets would find, and the judgement what is certain, no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.header import embedding_input
from pipeline.reconcile import (
    FEW_POINTS,
    CommittedPoint,
    ExpectedPoint,
    IndexedPoint,
    IndexOutOfOrder,
    PointId,
    Removal,
    Repair,
    Standing,
    Suspect,
    agrees,
    deletes_too_much,
    drift_of,
    find_suspects,
    is_in_flight,
    point_of,
    rank,
    read_payload,
    repair_of,
)
from pipeline.reconciliation import DriftKind, PassCounts
from pipeline.sparse import SPARSE_VERSION, document_vector
from pipeline.types import Chunk, DocumentRef, Scope

DOCUMENT, SOURCE = UUID(int=10), UUID(int=11)
SCOPE = Scope(UUID(int=1), UUID(int=2))


def expected(number: int = 7, generation: int = 3) -> ExpectedPoint:
    return ExpectedPoint(UUID(int=number), DOCUMENT, SCOPE, generation, b"text", b"input")


def indexed(number: int = 7, generation: int | None = 3) -> IndexedPoint:
    tenant, project = str(SCOPE.tenant_id), str(SCOPE.project_id)
    return IndexedPoint(
        UUID(int=number), generation, b"text".hex(), b"input".hex(), tenant, project, DOCUMENT, SPARSE_VERSION
    )


def committed(generation: int = 3) -> CommittedPoint:
    chunk = Chunk(UUID(int=7), 0, 0, 9, 1, 2, "function", "f", ("A",), ("class A",), ("f",), b"text", b"input", 0, 9)
    document = DocumentRef(DOCUMENT, "a.py", "python", generation, b"revision")
    return CommittedPoint(expected(generation=generation), SOURCE, document, chunk, "utf-8")


@pytest.mark.parametrize(
    ("told", "stored", "is_stale"),
    [
        (("test",), ("test",), False),
        ((), (), False),
        ((), ("test",), True),
        (("test",), (), True),
        ((), None, True),
        (None, None, False),
        (None, ("test",), False),
    ],
)
def test_a_point_that_says_other_traits_or_none_is_stale_once_they_can_be_told(
    told: tuple[str, ...] | None, stored: tuple[str, ...] | None, is_stale: bool
) -> None:
    chunk, point = replace(expected(), traits=told), replace(indexed(), traits=stored)
    assert agrees(chunk, point) is not is_stale


@pytest.mark.parametrize(("given", "read"), [([], ()), (["a", 1], ("a", "1")), ("test", None), (None, None)])
def test_traits_are_read_from_any_payload(given: object, read: tuple[str, ...] | None) -> None:
    assert read_payload(5, {"traits": given}).traits == read


# --- the merge

#: Few numbers, so that both sides often share some, from both ends and the middle of what an id can be.
NUMBERS = st.sampled_from([*range(12), *range(2**64 - 2, 2**64 + 2), *range(2**127 - 2, 2**127 + 2), 2**128 - 1])
CHUNKS = st.dictionaries(NUMBERS, st.integers(1, 2))
POINTS = st.dictionaries(st.tuples(st.booleans(), NUMBERS), st.integers(1, 2))


@given(CHUNKS, POINTS)
def test_the_merge_finds_what_a_comparison_of_sets_finds_in_order(
    chunks: dict[int, int], points: dict[tuple[bool, int], int]
) -> None:
    stored: dict[PointId, int] = {
        (UUID(int=number) if is_uuid else number): generation
        for (is_uuid, number), generation in points.items()
        if is_uuid or number < 2**64
    }
    wanted = {UUID(int=number): generation for number, generation in chunks.items()}
    naive = {each for each in wanted.keys() | stored.keys() if wanted.get(each) != stored.get(each)}
    found = [
        suspect.id
        for suspect in find_suspects(
            [replace(expected(), id=each, generation=wanted[each]) for each in sorted(wanted)],
            [replace(indexed(), id=each, generation=stored[each]) for each in sorted(stored, key=rank)],
        )
    ]
    assert found == sorted(naive, key=rank)


def test_the_merge_takes_from_both_streams_no_more_than_it_needs() -> None:
    taken = {"chunks": 0, "points": 0}

    def counted(name: str, make) -> Iterator:
        for number in range(1_000_000):
            taken[name] += 1
            yield make(2 * number + (name == "points"))

    suspects = find_suspects(counted("chunks", expected), counted("points", indexed))
    assert [next(suspects).id for _ in range(20)] == [UUID(int=number) for number in range(20)]
    assert max(taken.values()) <= 12


def test_a_suspect_names_the_document_of_its_chunk_or_else_of_its_point() -> None:
    stranger = replace(indexed(9), document_id=UUID(int=99))
    changed = replace(indexed(8), document_id=UUID(int=98), generation=1)
    found = list(find_suspects([expected(7), expected(8)], [changed, stranger]))
    assert found == [
        Suspect(UUID(int=7), DOCUMENT),
        Suspect(UUID(int=8), DOCUMENT),
        Suspect(UUID(int=9), UUID(int=99)),
    ]


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1)])
def test_a_stream_out_of_order_is_refused_instead_of_misread(numbers: tuple[int, int]) -> None:
    with pytest.raises(IndexOutOfOrder):
        list(find_suspects([], [indexed(number) for number in numbers]))
    with pytest.raises(IndexOutOfOrder):
        list(find_suspects([expected(number) for number in numbers], []))


@pytest.mark.parametrize(
    "change",
    [
        {"generation": 2}, {"generation": 4}, {"generation": None}, {"text_hash": "00"}, {"embed_hash": ""},
        {"tenant": ""}, {"project": "other"},
    ],
)  # fmt: skip
def test_a_point_agrees_with_its_chunk_in_everything_that_is_compared_or_not_at_all(change: dict[str, object]) -> None:
    assert agrees(expected(), indexed())
    assert not agrees(expected(), replace(indexed(), **change))


def test_a_payload_that_is_not_ours_reads_as_absent() -> None:
    payload = {"generation": "3", "text_hash": 5, "embed_hash": None, "tenant": [], "document": "no uuid"}
    assert read_payload(5, payload) == IndexedPoint(5, None, "", "", "", "", None) == read_payload(5, {})
    assert read_payload(5, {"generation": True}).generation is None


# --- the judgement

NONE = frozenset[int]()


@pytest.mark.parametrize(
    ("chunk", "is_retired", "newest", "pending", "stored", "in_flight", "drift"),
    [
        # A committed chunk: its point was there, at its generation, before it was committed.
        (3, False, 3, NONE, 3, False, None),
        (3, False, 3, NONE, None, False, DriftKind.MISSING),
        (3, False, 4, {4}, None, False, DriftKind.MISSING),
        (3, False, 4, {4}, 2, False, DriftKind.STALE),
        (3, False, 4, {4}, 3, False, None),
        # A newer point is what a slice under way may have written; nobody may have written above the newest.
        (3, False, 4, {4}, 4, True, DriftKind.STALE),
        (3, False, 5, {5}, 4, True, DriftKind.STALE),
        (3, False, 4, {4}, 5, False, DriftKind.STALE),
        (3, False, 4, NONE, 4, False, DriftKind.STALE),
        # No chunk: written ahead by a slice under way, about to be deleted by it, or an orphan.
        (None, False, 4, {4}, 4, True, DriftKind.ORPHAN),
        (None, False, 4, {4}, 3, False, DriftKind.ORPHAN),
        (None, False, 4, {4}, 5, False, DriftKind.ORPHAN),
        (None, False, 4, NONE, 4, False, DriftKind.ORPHAN),
        (None, True, 4, {4}, 3, True, DriftKind.ORPHAN),
        (None, True, 4, NONE, 3, False, DriftKind.ORPHAN),
        (None, False, 0, NONE, 1, False, DriftKind.ORPHAN),
        (None, True, 4, {4}, None, False, None),
        (None, False, 0, NONE, None, False, None),
    ],
)
def test_what_is_certain_is_drift_and_what_a_slice_may_be_doing_is_in_flight(
    chunk: int | None,
    is_retired: bool,
    newest: int,
    pending: frozenset[int],
    stored: int | None,
    in_flight: bool,
    drift: DriftKind | None,
) -> None:
    standing = Standing(DOCUMENT, None if chunk is None else committed(chunk), is_retired, newest, frozenset(pending))
    point = None if stored is None else indexed(generation=stored)
    assert is_in_flight(standing, point) == in_flight
    assert drift_of(standing, point) == drift


def test_a_point_without_a_generation_was_written_by_none_of_ours() -> None:
    point = indexed(generation=None)
    assert not is_in_flight(Standing(DOCUMENT, None, True, 4, frozenset({4})), point)
    assert drift_of(Standing(DOCUMENT, committed()), point) is DriftKind.STALE


# --- what mends it


@pytest.mark.parametrize(
    ("stored", "below"), [(indexed(generation=2), None), (indexed(generation=3), None), (None, None),
                          (indexed(generation=9), 10), (indexed(generation=None), 1),
                          (replace(indexed(generation=2), tenant="another"), 3)],
)  # fmt: skip
def test_a_chunks_point_is_written_again_after_what_stands_in_its_way_is_deleted(
    stored: IndexedPoint | None, below: int | None
) -> None:
    removal = None if below is None else Removal(UUID(int=7), below)
    assert repair_of(Standing(DOCUMENT, committed()), stored) == Repair(removal, committed())


def test_an_orphan_is_deleted_unless_something_newer_takes_its_place() -> None:
    assert repair_of(Standing(), indexed(generation=4)) == Repair(Removal(UUID(int=7), 5))


def test_a_mended_point_is_what_the_upsert_stage_would_write() -> None:
    point = point_of(committed(), {b"input": b"vector"}, b"def f(): ")
    assert (point.id, point.generation, point.vector) == (UUID(int=7), 3, b"vector")
    assert agrees(expected(), read_payload(point.id, point.payload))
    assert (point.payload["path"], point.payload["source"]) == ("a.py", str(SOURCE))
    assert point.sparse == document_vector(embedding_input("a.py", ("class A",), ("f",), "def f(): "))
    with pytest.raises(KeyError):
        point_of(committed(), {}, b"def f(): ")


# --- the guard


@pytest.mark.parametrize(
    ("orphans", "scanned", "too_much"),
    [(0, 0, False), (1, 2, False), (FEW_POINTS, FEW_POINTS, False), (11, 44, False), (11, 43, True), (100, 100, True)],
)
def test_only_more_than_a_few_and_more_than_the_share_is_too_much(orphans: int, scanned: int, too_much: bool) -> None:
    assert deletes_too_much(PassCounts(orphan=orphans, scanned=scanned), 0.25) == too_much


def test_a_share_of_one_never_refuses_and_of_zero_always_but_for_a_few() -> None:
    everything = PassCounts(orphan=50, scanned=50)
    assert not deletes_too_much(everything, 1.0)
    assert deletes_too_much(PassCounts(orphan=11, scanned=10_000), 0.0)


def test_counts_add_up() -> None:
    counts = PassCounts(repaired=2)
    for kind in (DriftKind.MISSING, DriftKind.ORPHAN, DriftKind.ORPHAN, DriftKind.STALE):
        counts.add(kind)
    assert (counts.missing, counts.orphan, counts.stale, counts.drifted, counts.left) == (1, 2, 1, 4, 2)
