"""What a producer's connections are worth: its lock dies with them, and a restart of Postgres is named."""

from __future__ import annotations

import gc

import psycopg
import pytest
from harness.bench import Bench

from pipeline.errors import ServiceUnavailable
from pipeline.intake import AcceptedDeletion, PlanTakenOver

VERSIONS = "versions-1"


def test_the_lock_of_a_dead_producer_dies_with_its_connections(bench: Bench) -> None:
    with pytest.raises(ServiceUnavailable, match="Postgres does not answer"), bench.plan():
        die_with_all_connections(bench)
    assert bench.ledger.sweep(60.0).interrupted_plans == 1
    bench.ingest({"a.txt": "text"})


# psycopg warns about a cursor that SQLAlchemy does not close because its connection is gone.
@pytest.mark.filterwarnings("ignore:.*ServerCursor:pytest.PytestUnraisableExceptionWarning")
def test_a_restart_of_postgres_under_the_list_of_known_documents_is_named(bench: Bench) -> None:
    bench.ingest(*({f"{batch}/{number}": "x" for number in range(1_000)} for batch in range(3)))
    documents = bench.intake.known_documents(bench.source, VERSIONS)
    next(documents)
    kill_other_connections(bench)
    with pytest.raises(ServiceUnavailable, match="Postgres does not answer"):
        list(documents)
    gc.collect()


def die_with_all_connections(bench: Bench) -> None:
    kill_other_connections(bench)
    raise KeyboardInterrupt


def kill_other_connections(bench: Bench) -> None:
    """Do what a restart of the server does to everybody who is connected."""
    url = bench.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def plan_while_the_lock_is_lost(bench: Bench) -> None:
    with bench.plan() as slow:
        bench.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
        with bench.plan() as quick:
            bench.intake.accept(quick, [bench.accepted(quick.source, "a.py", "newer")])
        older = bench.accepted(slow.source, "a.py", "older")
        for act in (
            lambda: bench.intake.accept(slow, [older]),
            lambda: bench.intake.join(slow, [older]),
            lambda: bench.intake.accept_deletions(slow, [AcceptedDeletion(bench.document("a.py"), 1)]),
        ):
            with pytest.raises(PlanTakenOver):
                act()


def test_a_producer_whose_lock_was_lost_accepts_nothing_once_another_plans(bench: Bench) -> None:
    with pytest.raises(ServiceUnavailable):
        plan_while_the_lock_is_lost(bench)
    assert bench.generation(bench.document("a.py")) == 1
    states = [row["plan_state"] for row in bench.rows("SELECT plan_state FROM runs ORDER BY created_at")]
    assert states == ["interrupted", "planned"]
