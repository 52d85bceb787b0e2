"""Postgres, Qdrant and the provider fail at a chosen moment; no attempt is burnt, and nothing is lost or bought twice.

The moment is held by a lock in Postgres, by the wire before Qdrant, or by what the provider is scripted to answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from chaos.provider import FAULTS
from chaos.wire import Mood, Wire
from harness import arena as arenas
from harness.arena import Arena
from harness.asking import ask
from harness.databases import Databases
from harness.fleet import wait_until
from harness.postgres import stop_at_once
from harness.trees import function

#: The table that a stage writes to in the middle of the transaction that commits it.
COMMITS = {"parse": "outlines", "chunk": "chunk_sets", "embed": "embeddings", "upsert": "chunks"}
#: Who waits for a lock that a given backend holds; heartbeats and sweeps may wait for others' at the same time.
_BLOCKED = "SELECT pid FROM pg_stat_activity WHERE %s::int = ANY(pg_blocking_pids(pid))"
_CUT = "SELECT pg_terminate_backend(%s, 5000)"
_BOUGHT = (
    "SELECT sum(embedding_inputs) AS sum FROM slices"
    " WHERE run_id = (SELECT id FROM runs ORDER BY created_at DESC LIMIT 1)"
)
_EMBEDDING = "SELECT 1 FROM slices WHERE stage = 'embed' AND state = 'running'"
_ACCEPTED = "SELECT 1 FROM documents d JOIN projects p ON p.id = d.project_id WHERE p.name = 'disk'"


@pytest.fixture(scope="module")
def wire(services: dict[str, str]) -> Iterator[Wire]:
    """What the worker reaches Qdrant through."""
    made = Wire(services["QDRANT_URL"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def arena(
    services: dict[str, str], databases: Databases, wire: Wire, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arena]:
    """A dispatcher and a worker that has done something already."""
    with arenas.opened(services, databases, tmp_path_factory.mktemp("services")) as made:
        made.fleet.dispatcher()
        patience = {"MOBIUS_OPENAI_TIMEOUT": "2", "MOBIUS_LEASE_SECONDS": "5"}
        made.fleet.worker("worker", QDRANT_URL=wire.url, **patience)
        made.accept({"warm.py": function("warm", 2)})
        made.wait_until_done()
        yield made


def handed_back(arena: Arena) -> list[str]:
    """Return why slices were handed back and what they have been charged for it."""
    rows = arena.reader().rows("SELECT error, attempts FROM slices WHERE state = 'ready' AND error <> ''")
    return [f"{row['error']}, {row['attempts']} attempts" for row in rows]


def blocked_by(arena: Arena, holder: psycopg.Connection[tuple[object, ...]]) -> list[int]:
    """Return which backends wait for a lock of this connection.

    Another one asks: a transaction sees the backends that there were at its first look, and no later one.
    """
    return [row["pid"] for row in arena.reader().rows(_BLOCKED, holder.info.backend_pid)]


@contextmanager
def locked(arena: Arena, table: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """Let whoever writes to a table wait in the middle of its transaction."""
    with psycopg.connect(arena.env["DATABASE_URL"]) as connection:
        connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")  # a name of ours
        yield connection


@pytest.mark.parametrize("stage", COMMITS)
def test_a_connection_cut_in_the_middle_of_a_transaction_is_no_attempt(arena: Arena, stage: str) -> None:
    name = f"cut_in_{stage}"
    with locked(arena, COMMITS[stage]) as lock:
        arena.accept({f"{name}.py": function(name, 2)})
        wait_until(lambda: bool(blocked_by(arena, lock)), f"{stage} is in the middle of its transaction")
        (cut,) = blocked_by(arena, lock)
        arena.reader().rows(_CUT, cut)
        lock.rollback()
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.reader().rows("SELECT 1 FROM slices WHERE attempts > 1") == []
    assert arena.bought_again(name) == 0


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
def test_postgres_may_be_stopped_at_once_and_started_again(arena: Arena, is_busy: bool) -> None:
    name = f"stopped_{'busy' if is_busy else 'idle'}"
    if is_busy:
        arena.provider.latency = 1.0
        arena.accept({f"{name}.py": function(name, 2)})
        wait_until(lambda: bool(arena.reader().rows(_EMBEDDING)), "the worker waits for the provider")
    stop_at_once(arena.env["DATABASE_URL"])
    arena.provider.latency = 0.0
    # The first connections that are tried were made before.
    arena.accept({f"{name}_after.py": function(f"{name}_after", 2)})
    arena.wait_until_done()
    assert all(member.is_alive for member in arena.fleet.members)
    assert arena.violations() == []
    in_flight = 1 if is_busy else 0
    assert arena.bought_again(name) <= in_flight
    words = f"{name} {name}_after"
    hits = ask(arena.env, arena.bench.engine, arena.bench.source.scope, words)
    assert {hit.path for hit in hits} >= {path for path in arena.files if path.startswith(name)}


@pytest.mark.parametrize("mood", [Mood.DOWN, Mood.READ_ONLY], ids=str)
def test_an_index_that_takes_no_points_is_waited_for(arena: Arena, wire: Wire, mood: Mood) -> None:
    name = mood.name.lower()
    wire.mood = mood
    try:
        arena.accept({f"{name}.py": function(name, 2)})
        wait_until(lambda: bool(handed_back(arena)), "the slice is handed back")
        assert handed_back(arena) == ["ServiceUnavailable, 0 attempts"]
    finally:
        wire.mood = Mood.GOOD
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.bought_again(name) == 0


def test_a_slow_index_is_waited_for(arena: Arena, wire: Wire) -> None:
    wire.mood = Mood.SLOW
    try:
        arena.accept({"slow.py": function("slow", 2)})
        arena.wait_until_done()
    finally:
        wire.mood = Mood.GOOD
    assert arena.violations() == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_that_misbehaves_is_waited_for_and_paid_once(arena: Arena, fault: str) -> None:
    name = fault.replace(" ", "_")
    calls = len(arena.provider.calls)
    # A call is tried three times before the slice is handed back, unless it took too long.
    scripted = replace(FAULTS[fault], text=name)
    arena.provider.faults.extend([scripted] * (1 if fault == "hang" else 3))
    arena.accept({f"{name}.py": function(name, 2)})
    wait_until(lambda: len(arena.provider.calls) > calls, "the provider misbehaves")
    if fault == "wrong dimensions":  # is left to an operator for longer than a test takes
        wait_until(lambda: handed_back(arena) == ["DimensionMismatch, 0 attempts"], "it is handed back")
        arena.provider.faults.clear()
        arena.bench.rows("UPDATE slices SET not_before = NULL WHERE state = 'ready'")
    arena.wait_until_done()
    assert arena.violations() == []
    assert arena.reader().rows("SELECT 1 FROM slices WHERE attempts > 1") == []
    assert arena.reader().rows(_BOUGHT) == [{"sum": 1}]
    arena.provider.faults.clear()


@contextmanager
def full_disk(arena: Arena, table: str) -> Iterator[None]:
    """Let Postgres say of every row that is added to a table what it says when its disk is full."""
    arena.bench.rows(
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
    )
    arena.bench.rows(f"CREATE TRIGGER no_space BEFORE INSERT ON {table} EXECUTE FUNCTION no_space()")
    try:
        yield
    finally:
        arena.bench.rows("DROP FUNCTION no_space CASCADE")


def test_a_full_disk_at_a_stage_is_waited_for(arena: Arena) -> None:
    with full_disk(arena, "outlines"):
        arena.accept({"full.py": function("full", 2)})
        wait_until(lambda: bool(handed_back(arena)), "the slice is handed back")
        assert handed_back(arena) == ["ServiceUnavailable, 0 attempts"]
    arena.wait_until_done()
    assert arena.violations() == []


def test_a_full_disk_at_a_blob_stops_the_producer_which_takes_everything_in_later(arena: Arena, tree: Path) -> None:
    with full_disk(arena, "blobs"):
        refused = arena.fleet.mobius("ingest", str(tree), "--project", "disk", check=False)
        assert refused.returncode == 2
        assert "No space left on device" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert arena.reader().rows(_ACCEPTED) == []
    arena.fleet.mobius("ingest", str(tree), "--project", "disk")
    arena.files |= {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    assert arena.violations() == []
