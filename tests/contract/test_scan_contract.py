"""Every index can be read as a whole, in the order that Postgres has too, whoever wrote what is in it."""

from __future__ import annotations

import random
import struct
from uuid import UUID, uuid4

import psycopg
import pytest
from harness.planting import plant

from pipeline.reconcile import IndexedPoint, Removal, rank
from pipeline.types import EmbeddingModel, Point, Scope

NORTH = struct.pack("<4f", 1.0, 0.0, 0.0, 0.0)
#: Ids in which a signed, a little-endian and a textual order would each differ from the right one.
EDGES = [
    UUID(int=0), UUID(int=1), UUID(int=2**64 - 1), UUID(int=2**64), UUID(int=2**127 - 1), UUID(int=2**127),
    UUID(int=2**128 - 1), UUID("00000000-0000-0000-8000-000000000000"), UUID("7fffffff-ffff-1fff-bfff-ffffffffffff"),
    UUID("01000000-0000-4000-8000-000000000000"), UUID("00000001-0000-7000-8000-000000000000"),
]  # fmt: skip


@pytest.fixture
def whole(backend, fresh_model: EmbeddingModel):
    """An index whose collection is the test's own."""
    made = backend.index(fresh_model)
    made.ensure()
    return made


def random_ids(count: int) -> list[UUID]:
    rng = random.Random(count)
    return [UUID(int=rng.getrandbits(128)) for _ in range(count)]


def write(index, scope: Scope, ids: list[UUID], generation: int = 1) -> None:
    index.upsert(scope, [Point(each, generation, NORTH, {"path": "a.py"}) for each in ids])


def scanned(index, scope: Scope | None, limit: int) -> list[IndexedPoint]:
    found: list[IndexedPoint] = []
    while page := index.scan(scope, found[-1].id if found else None, limit):
        assert len(page) <= limit
        found += page
    return found


@pytest.mark.parametrize("limit", [1, 7, 1000])
def test_pages_come_in_id_order_whole_and_once(whole, scope, limit):
    ids = [*EDGES, *random_ids(30)]
    for each in sorted(ids, key=lambda each: each.hex[::-1]):
        write(whole, scope, [each])
    assert [point.id for point in scanned(whole, None, limit)] == sorted(ids, key=rank)


def test_the_order_is_that_of_postgres(database_url, whole, scope):
    ids = [*EDGES, *random_ids(200)]
    write(whole, scope, ids)
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT id FROM unnest(%s::uuid[]) AS t(id) ORDER BY id", (ids,)).fetchall()
    assert [point.id for point in scanned(whole, None, 64)] == [row[0] for row in rows]


def test_a_scan_begins_after_an_id_that_need_not_exist(whole, scope):
    ids = sorted(random_ids(9), key=rank)
    write(whole, scope, ids)
    assert [point.id for point in whole.scan(scope, ids[3], 2)] == ids[4:6]
    assert [point.id for point in whole.scan(scope, UUID(int=ids[3].int - 1), 2)] == ids[3:5]
    assert list(whole.scan(scope, UUID(int=2**128 - 1), 2)) == []
    assert [point.id for point in whole.scan(None, 2**64 - 1, 1)] == ids[:1]


def test_a_scan_of_a_scope_sees_that_scope_only_and_one_of_all_sees_every_point(whole, scope):
    mine, theirs = sorted(random_ids(3), key=rank), uuid4()
    other = Scope(uuid4(), scope.project_id)
    write(whole, scope, mine)
    write(whole, other, [theirs])
    assert [point.id for point in scanned(whole, scope, 2)] == mine
    assert [point.id for point in scanned(whole, other, 2)] == [theirs]
    assert {point.id for point in scanned(whole, None, 2)} == {*mine, theirs}


def test_a_scan_tells_what_a_comparison_needs(whole, scope):
    document, written = uuid4(), uuid4()
    facts = {"document": str(document), "text_hash": "aa", "embed_hash": "bb", "traits": ["test"]}
    whole.upsert(scope, [Point(written, 3, NORTH, facts)])
    expected = IndexedPoint(
        written, 3, "aa", "bb", str(scope.tenant_id), str(scope.project_id), document, traits=("test",)
    )
    assert list(whole.scan(scope, None, 5)) == [expected]
    assert whole.look_up([written, uuid4(), 7]) == {written: expected}


STRANGE = [
    {},
    {"generation": "3", "document": "no uuid", "tenant": 5},
    {"generation": 1.5, "document": 7, "text_hash": ["x"]},
    {"generation": True, "embed_hash": {"a": 1}},
    {"generation": None, "project": None},
]


@pytest.mark.parametrize("payload", STRANGE)
@pytest.mark.parametrize("point_id", [5, 2**64 - 1, UUID(int=5)])
def test_what_somebody_else_wrote_is_read_and_removed_like_any_other(whole, scope, point_id, payload):
    ours = uuid4()
    write(whole, scope, [ours])
    plant(whole, point_id, payload)
    foreign = IndexedPoint(point_id, None, "", "", "", "", None)
    assert scanned(whole, None, 1)[0] == foreign
    assert whole.look_up([point_id]) == {point_id: foreign}
    whole.remove([Removal(point_id, 2)])
    assert [point.id for point in scanned(whole, None, 1)] == [ours]


def test_a_number_and_a_uuid_of_the_same_value_are_two_points(whole):
    for each in (7, UUID(int=7)):
        plant(whole, each, {})
    assert [point.id for point in scanned(whole, None, 1)] == [7, UUID(int=7)]
    whole.remove([Removal(7, 1)])
    assert [point.id for point in scanned(whole, None, 1)] == [UUID(int=7)]


@pytest.mark.parametrize(("below", "left"), [(4, 1), (5, 1), (6, 0)])
def test_a_removal_takes_a_point_of_any_scope_but_only_below_its_bound(whole, scope, below, left):
    written = uuid4()
    write(whole, scope, [written], generation=5)
    whole.remove([Removal(written, below), Removal(uuid4(), 9)])
    assert len(scanned(whole, None, 5)) == left


def test_many_points_are_looked_up_and_removed_whole(whole, scope):
    ids = random_ids(600)
    write(whole, scope, ids)
    assert len(whole.look_up(ids)) == 600
    whole.remove([Removal(each, 2 + number % 2) for number, each in enumerate(ids)])
    assert scanned(whole, None, 100) == []


def test_reading_a_dropped_collection_finds_nothing_and_makes_none(backend, whole, scope):
    write(whole, scope, random_ids(2))
    backend.drop(whole)
    assert list(whole.scan(None, None, 5)) == []
    assert whole.look_up(random_ids(2)) == {}
    if backend.url is not None:
        assert not whole._client.collection_exists(whole.collection)
