"""Who is frozen in the middle of a transaction holds up what it has in hand, and nothing else; and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import pytest
from harness.bench import Bench
from sqlalchemy import Connection, Engine, select, text

from models.base import Base
from models.session import IDLE_TIMEOUT, driver_of, open_engine, transaction
from pipeline.errors import ServiceUnavailable
from pipeline.types import Stage
from pipeline.work import Swept
from worker.settings import Settings

#: Seconds. A sweep that waits for nobody takes a fraction of them.
AT_ONCE = 2.0


def expire(bench: Bench) -> None:
    for token in bench.ledger.take_ready(2, oldest_first=True):
        bench.expire(bench.claim(token))


def lose(bench: Bench) -> None:
    bench.ledger.take_ready(2, oldest_first=True)
    bench.pass_time(61.0)


def pause(bench: Bench) -> None:
    bench.ledger.take_ready(2, oldest_first=True)
    bench.rows("UPDATE runs SET paused_at = now()")


def cancel(bench: Bench) -> None:
    bench.rows("UPDATE runs SET cancelled_at = now()")


def wear_out(bench: Bench) -> None:
    for row in bench.slices():
        bench.wear_out(row.id)
    for token in bench.ledger.take_ready(2, oldest_first=True):
        bench.crash(bench.claim(token))


@dataclass(frozen=True)
class Case:
    """What is to be swept: how it comes about, how it ends, and the table whose row the frozen one holds."""

    prepare: Callable[[Bench], None]
    end: str
    table: str = "slices"


CASES = {
    "a lease that is over": Case(expire, "ready"),
    "a message that nobody took": Case(lose, "ready"),
    "a paused run": Case(pause, "ready"),
    "a cancelled run": Case(cancel, "cancelled"),
    "a document of a cancelled run": Case(cancel, "cancelled", "documents"),
    "a slice that was tried too often": Case(wear_out, "failed"),
    "a document that was tried too often": Case(wear_out, "failed", "documents"),
}


@contextmanager
def frozen(bench: Bench, table: str, row: UUID) -> Iterator[None]:
    """Hold a row as a process does that is stopped before it could commit."""
    with bench.engine.connect() as holder:
        found = Base.metadata.tables[table]
        holder.execute(select(found.c.id).where(found.c.id == row).with_for_update())
        yield


def sweep_at_once(bench: Bench) -> Swept:
    started = time.monotonic()
    swept = bench.ledger.sweep(60.0)
    assert time.monotonic() - started < AT_ONCE
    return swept


@pytest.mark.parametrize("name", CASES)
def test_a_sweep_skips_what_a_frozen_transaction_holds_and_a_later_one_takes_it(bench: Bench, name: str) -> None:
    case = CASES[name]
    bench.ingest({"a.txt": "a"}, {"b.txt": "b"})
    case.prepare(bench)
    before = bench.rows("SELECT DISTINCT state FROM slices")[0]["state"]
    held = bench.document("a.txt")
    slice_id = bench.one("SELECT slice_id FROM run_documents WHERE document_id = :id", id=held)
    with frozen(bench, case.table, slice_id if case.table == "slices" else held):
        sweep_at_once(bench)
        states = {row.id: row.state for row in bench.slices()}
        assert states.pop(slice_id) == before, "what is held is left alone"
        assert list(states.values()) == [case.end], "the other slice is swept"
    sweep_at_once(bench)
    assert {row.state for row in bench.slices()} == {case.end}
    assert bench.outcomes().count("pending") == (2 if case.end == "ready" else 0)


def test_a_run_that_waits_for_a_frozen_slice_is_cancelled_by_a_later_sweep(bench: Bench) -> None:
    bench.ingest({"a.txt": "a"})
    with bench.plan() as joined:
        bench.intake.join(joined, [bench.accepted(joined.source, "a.txt", "a")])
    bench.rows("UPDATE runs SET cancelled_at = now() WHERE id = :id", id=joined.id)
    waiting = "SELECT outcome FROM run_documents WHERE run_id = :id"
    with bench.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM run_documents FOR UPDATE"))
        sweep_at_once(bench)
        assert bench.one(waiting, id=joined.id) == "pending"
    sweep_at_once(bench)
    assert bench.one(waiting, id=joined.id) == "cancelled"
    bench.finish()
    assert sorted(bench.outcomes()) == ["cancelled", "indexed"]


def test_a_cancellation_does_not_wait_for_who_holds_a_document_of_it(bench: Bench) -> None:
    run = bench.ingest({"a.txt": "a", "b.txt": "b"})
    started = time.monotonic()
    with frozen(bench, "documents", bench.document("a.txt")):
        bench.control.cancel("tenant", run.id)
        assert time.monotonic() - started < AT_ONCE
        assert sorted(bench.outcomes()) == ["cancelled", "pending"]
        assert bench.only_slice().state == "ready", "it ends with its last document"
    bench.ledger.sweep(60.0)
    assert sorted(bench.outcomes()) == ["cancelled", "cancelled"]
    assert bench.only_slice().state == "cancelled"


def test_a_part_of_the_sweep_that_fails_leaves_what_came_before_it_done(bench: Bench) -> None:
    """A reservation of an ended slice is the one thing that is waited for; another slice may be after it, frozen."""
    bench.ingest({"a.txt": "a"})
    bench.expire(bench.claim())
    cancelled = bench.ingest({"b.txt": "b"})
    claim = bench.claim_at(Stage.EMBED)
    bench.ledger.register_model(bench.embedder.model, 1)
    bench.ledger.reserve_embeddings(claim, bench.embedder.model, [b"h" * 32])
    bench.expire(claim)
    bench.rows("UPDATE runs SET cancelled_at = now() WHERE id = :id", id=cancelled.id)
    with bench.engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM embeddings FOR UPDATE"))
        started = time.monotonic()
        with pytest.raises(ServiceUnavailable, match="lock timeout"):
            bench.ledger.sweep(60.0)
        assert time.monotonic() - started < 2 * AT_ONCE
    assert sorted(row.state for row in bench.slices()) == ["ready", "ready"]
    bench.ledger.sweep(60.0)
    assert sorted(row.state for row in bench.slices()) == ["cancelled", "ready"]
    assert bench.reserved() == set()


def test_a_frozen_transaction_of_a_worker_is_ended_before_its_lease_is(bench: Bench) -> None:
    assert bench.one("SHOW idle_in_transaction_session_timeout") == f"{IDLE_TIMEOUT // 1000}s"
    assert Settings.model_fields["lease_seconds"].default * 1000 > IDLE_TIMEOUT


def ask(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))


def ask_directly(connection: Connection) -> None:
    driver_of(connection).execute("SELECT 1")


def ask_late(engine: Engine, question: Callable[[Connection], None]) -> None:
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 50"))
        time.sleep(0.3)
        question(connection)


@pytest.mark.parametrize("question", [ask, ask_directly])
def test_who_wakes_up_after_its_transaction_was_ended_meets_an_outage_and_no_crash(
    database_url: str, question: Callable[[Connection], None]
) -> None:
    engine = open_engine(database_url, pool_size=1)
    with pytest.raises(ServiceUnavailable, match="Postgres does not answer"):
        ask_late(engine, question)
    with transaction(engine) as connection:
        ask(connection)
    engine.dispose()
