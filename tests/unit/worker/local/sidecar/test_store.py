"""What a crash or an operator left in the data directory, and what is made of it at the next start."""

from __future__ import annotations

from uuid import UUID

import pytest
import qdrant_edge as edge

from worker.local.sidecar.errors import ApiError
from worker.local.sidecar.layout import read_layout
from worker.local.sidecar.store import DataDirectoryError, Store

LAYOUT = read_layout({"vectors": {"dense": {"size": 2, "distance": "Cosine"}}})


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def start() -> Store:
        opened.append(Store(tmp_path))
        return opened[-1]

    yield start
    for store in opened:
        store.close()


def add(store: Store, name: str, number: int) -> None:
    point = edge.Point(UUID(int=number), {"dense": [1.0, 0.0]}, {})
    store.find(name).apply([edge.UpdateOperation.upsert_points([point])])


def count(store: Store, name: str) -> int:
    return store.find(name).shard.count(edge.CountRequest())


def test_collections_and_aliases_are_there_after_a_restart(open_store):
    store = open_store()
    store.create("one", LAYOUT)
    store.create("two", LAYOUT)
    store.change_aliases([("alias", "two")])
    add(store, "alias", 1)
    store.close()
    again = open_store()
    assert again.names() == ["one", "two"]
    assert (count(again, "one"), count(again, "alias")) == (0, 1)


def test_what_a_crash_left_in_staging_is_removed(open_store, tmp_path):
    open_store().close()
    (tmp_path / "staging" / "half").mkdir()
    open_store()
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize("missing", ["collection.json", "shard"])
def test_a_half_made_collection_is_removed(open_store, tmp_path, missing):
    store = open_store()
    store.create("whole", LAYOUT)
    store.create("half", LAYOUT)
    store.change_aliases([("alias", "half")])
    store.close()
    broken = tmp_path / "collections" / "half" / missing
    broken.rename(tmp_path / "elsewhere")
    again = open_store()
    assert again.names() == ["whole"]
    assert again.aliases() == {}
    again.create("half", LAYOUT)
    assert count(again, "half") == 0


def test_a_damaged_collection_stops_the_start_and_says_where(open_store, tmp_path):
    store = open_store()
    store.create("things", LAYOUT)
    store.close()
    (tmp_path / "collections" / "things" / "shard" / "edge_config.json").write_text("{")
    with pytest.raises(DataDirectoryError, match="things"):
        open_store()


def test_a_directory_in_use_is_refused_until_it_is_closed(open_store):
    store = open_store()
    with pytest.raises(DataDirectoryError, match="another sidecar"):
        open_store()
    store.close()
    open_store()


def test_a_deleted_collection_takes_its_aliases_and_files_along(open_store, tmp_path):
    store = open_store()
    store.create("things", LAYOUT)
    store.change_aliases([("alias", "things")])
    add(store, "things", 1)
    gone = store.find("things")
    assert store.drop("things")
    assert not store.drop("things")
    assert (store.names(), store.aliases()) == ([], {})
    assert list((tmp_path / "collections").iterdir()) == []
    with pytest.raises(ApiError) as refusal:
        gone.apply([])
    assert refusal.value.status == 404


def test_alias_changes_happen_all_or_not_at_all(open_store):
    store = open_store()
    store.create("things", LAYOUT)
    with pytest.raises(ApiError):
        store.change_aliases([("alias", "things"), ("other", "absent")])
    with pytest.raises(ApiError):
        store.change_aliases([("things", "things")])
    assert store.aliases() == {}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a b", "x" * 256, "-a", "ä"])
def test_a_name_that_is_no_directory_name_is_refused(open_store, name):
    with pytest.raises(ApiError) as refusal:
        open_store().create(name, LAYOUT)
    assert refusal.value.status == 400


def test_flushing_keeps_what_is_there(open_store):
    store = open_store()
    store.create("things", LAYOUT)
    add(store, "things", 1)
    store.flush()
    store.flush()
    add(store, "things", 2)
    assert count(store, "things") == 2
