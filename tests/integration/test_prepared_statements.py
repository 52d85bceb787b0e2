"""A migration that adds columns under a worker's open connections is noticed by none of its statements."""

from __future__ import annotations

import pytest
from harness.bench import Bench
from harness.reconciling import look
from sqlalchemy import text
from sqlalchemy.exc import NotSupportedError

from models.base import Base
from models.commits import Commits
from models.session import open_engine, transaction
from pipeline.errors import ServiceUnavailable
from pipeline.types import Stage

#: psycopg prepares a statement when a connection executes it for the sixth time.
OFTEN = 7


def add_columns(bench: Bench) -> None:
    """Do what a migration does."""
    for name in Base.metadata.tables:
        bench.rows(f"ALTER TABLE {name} ADD COLUMN later_added int")


def test_an_upsert_goes_on_after_a_migration_that_adds_columns(bench: Bench, database_url: str) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.UPSERT)
    engine = open_engine(database_url, pool_size=1)
    commits = Commits(engine)
    before = [commits.documents_to_upsert(claim) for _ in range(OFTEN)][-1]
    add_columns(bench)
    assert commits.documents_to_upsert(claim) == before
    engine.dispose()


def test_every_stage_and_a_reconciliation_go_on_after_one(bench: Bench) -> None:
    for number in range(OFTEN):
        bench.ingest({"a.txt": f"text {number}"})
        bench.finish()
        look(bench)
        bench.index.points.clear()
    add_columns(bench)
    bench.ingest({"a.txt": "the last"})
    bench.finish()
    assert bench.outcomes().count("indexed") == OFTEN + 1
    bench.index.points.clear()
    assert look(bench).counts.missing == 1


def test_a_statement_that_is_outdated_all_the_same_is_an_outage_and_prepared_anew(
    bench: Bench, database_url: str
) -> None:
    """An outage is no attempt."""
    engine = open_engine(database_url, pool_size=1)
    every_column = text("SELECT * FROM tenants")

    def read() -> None:
        with transaction(engine) as connection:
            connection.execute(every_column)

    for _ in range(OFTEN):
        read()
    add_columns(bench)
    with pytest.raises(ServiceUnavailable, match="cached plan") as caught:
        read()
    assert isinstance(caught.value.__cause__, NotSupportedError)
    read()
    engine.dispose()
