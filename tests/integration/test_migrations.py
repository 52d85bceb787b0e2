"""The migrations lead to the tables of the models, one step at a time, and no other schema is worked on."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from harness.fleet import wait_until
from sqlalchemy import Connection, inspect, text

from models import documents, embeddings, operations, runs, schema, tenancy
from models.base import Base
from models.session import open_engine
from pipeline.errors import SchemaMismatch, ServiceUnavailable

FAMILIES = (tenancy, documents, runs, embeddings, operations)
SCRIPTS = ScriptDirectory(str(Path(schema.__file__).parent.parent / "migrations"))
#: Oldest first.
REVISIONS = [script.revision for script in reversed(list(SCRIPTS.walk_revisions()))]


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    engine = open_engine(url, pool_size=1)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def tables(url: str) -> set[str]:
    with connected(url) as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def facts(url: str) -> dict[str, set[tuple[object, ...]]]:
    """Return columns, constraints and indexes as Postgres itself prints them."""
    queries = {
        "columns": "SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public'",
        "constraints": "SELECT t.relname, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c"
        " JOIN pg_class t ON t.oid = c.conrelid WHERE t.relnamespace = 'public'::regnamespace",
        "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }
    with connected(url) as connection:
        found = {name: {tuple(row) for row in connection.execute(text(sql))} for name, sql in queries.items()}
    return {name: {row for row in rows if row[0] != "alembic_version"} for name, rows in found.items()}


def set_revision(url: str, revision: str) -> None:
    with connected(url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_down_to_the_base_nothing_is_left_and_up_again_everything_is_back(database_url: str) -> None:
    before = facts(database_url)
    schema.downgrade(database_url, "base")
    assert tables(database_url) == set()
    assert schema.current_revision(database_url) is None
    schema.upgrade(database_url)
    assert facts(database_url) == before
    schema.check(database_url)


def test_every_single_step_goes_up_down_and_up_again(empty_database_url: str) -> None:
    before = facts(empty_database_url)
    for revision in REVISIONS:
        schema.upgrade(empty_database_url, revision)
        after = facts(empty_database_url)
        assert after != before
        schema.downgrade(empty_database_url, "-1")
        assert facts(empty_database_url) == before
        schema.upgrade(empty_database_url, "+1")
        assert facts(empty_database_url) == after
        assert schema.current_revision(empty_database_url) == revision
        before = after


def test_the_migrated_schema_is_that_of_the_models(database_url: str) -> None:
    with connected(database_url) as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata) == []


def test_constraints_indexes_and_defaults_are_those_of_the_models_by_name_and_content(
    database_url: str, empty_database_url: str
) -> None:
    """Alembic compares no check constraints and no names of keys, so Postgres prints both schemas."""
    with connected(empty_database_url) as connection:
        connection.execute(text("CREATE EXTENSION vector"))
        Base.metadata.create_all(connection)
    assert facts(database_url) == facts(empty_database_url)


def test_the_check_knows_the_revisions_that_alembic_knows() -> None:
    assert schema.known_revisions() == REVISIONS


def test_the_current_schema_is_accepted_whatever_the_spelling_of_the_url(database_url: str) -> None:
    schema.check(database_url)
    schema.check(database_url.replace("postgresql://", "postgres://"))
    schema.check(database_url.replace("postgresql://", "postgresql+psycopg://"))


def test_an_empty_database_asks_for_a_migration(empty_database_url: str) -> None:
    with pytest.raises(SchemaMismatch, match=rf"schema none, .* needs {REVISIONS[-1]}: run `mobius migrate`"):
        schema.check(empty_database_url)


def test_an_older_schema_asks_for_a_migration(database_url: str) -> None:
    schema.downgrade(database_url, "-1")
    with pytest.raises(SchemaMismatch, match=rf"schema {REVISIONS[-2]}, .*: run `mobius migrate`"):
        schema.check(database_url)


@pytest.mark.parametrize("revision", ["9999", "other"])
def test_a_schema_that_is_not_known_is_migrated_by_a_newer_version_only(database_url: str, revision: str) -> None:
    set_revision(database_url, revision)
    before = facts(database_url)
    for attempt in (lambda: schema.upgrade(database_url), lambda: schema.downgrade(database_url, "base")):
        with pytest.raises(SchemaMismatch, match=rf"schema {revision}, .* Upgrade mobius-ingest"):
            attempt()
    assert facts(database_url) == before
    assert schema.current_revision(database_url) == revision


def test_a_newer_schema_is_worked_on(database_url: str) -> None:
    set_revision(database_url, "9999")
    schema.check(database_url)


def test_a_schema_of_no_version_of_ours_is_not_worked_on(database_url: str) -> None:
    set_revision(database_url, "other")
    with pytest.raises(SchemaMismatch, match=r"schema other, .* Upgrade mobius-ingest"):
        schema.check(database_url)


def test_a_server_without_pgvector_says_what_to_install(empty_database_url: str) -> None:
    """The server's list of extensions is shadowed by an empty one, as if there were none to install."""
    with connected(empty_database_url) as connection:
        connection.execute(text("CREATE SCHEMA shadow"))
        connection.execute(text("CREATE VIEW shadow.pg_available_extensions AS SELECT 'plpgsql'::name AS name"))
        name = empty_database_url.rpartition("/")[2]
        connection.execute(text(f"ALTER DATABASE {name} SET search_path = shadow, public, pg_catalog"))
    with pytest.raises(SchemaMismatch, match=r"no pgvector: install it .* `mobius migrate` again"):
        schema.upgrade(empty_database_url)
    assert tables(empty_database_url) == set()
    assert schema.current_revision(empty_database_url) is None


def test_two_upgrades_at_once_both_end_well(empty_database_url: str) -> None:
    failed: list[BaseException] = []

    def upgrade() -> None:
        try:
            schema.upgrade(empty_database_url)
        except BaseException as exc:  # noqa: BLE001  a thread's error must reach the test
            failed.append(exc)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    schema.check(empty_database_url)


def test_a_migration_that_waits_for_a_table_lets_others_through_and_gets_its_turn(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that a migration waits for is closed to everybody who comes later."""
    monkeypatch.setattr(schema, "PATIENCE", 0.3)
    schema.downgrade(database_url, "-1")
    told: list[str] = []
    migration = threading.Thread(target=schema.upgrade, args=(database_url,), kwargs={"on_wait": told.append})
    with connected(database_url) as walk:
        walk.execute(text("SELECT 1 FROM slices"))
        migration.start()
        wait_until(lambda: len(told) >= 2, "the migration has tried twice", 10)
        with connected(database_url) as worker:
            worker.execute(text("SET LOCAL lock_timeout = '2s'"))
            worker.execute(text("UPDATE slices SET attempts = 0"))
        assert migration.is_alive()
    migration.join()
    pid = re.escape("(mobius-ingest, for ")
    assert all(re.fullmatch(rf"the tables are in use by process \d+ {pid}\d+ s\); trying again", each) for each in told)
    schema.check(database_url)


def test_a_migration_that_gets_no_turn_changes_nothing_and_says_who_is_in_its_way(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PATIENCE", 0.05)
    monkeypatch.setattr(schema, "TRIES", 3)
    schema.downgrade(database_url, "-2")
    before = facts(database_url)
    with connected(database_url) as walk:
        pid = walk.execute(text("SELECT pg_backend_pid() FROM slices RIGHT JOIN (SELECT 1) AS one ON true")).scalar()
        expected = rf"in use by process {pid} \(mobius-ingest, for \d+ s\)\. Nothing was changed: .* `mobius migrate`"
        with pytest.raises(ServiceUnavailable, match=expected):
            schema.upgrade(database_url)
    assert facts(database_url) == before
    assert schema.current_revision(database_url) == REVISIONS[-3]
    schema.upgrade(database_url)
    schema.check(database_url)


@pytest.mark.parametrize("attempt", [schema.check, schema.upgrade, schema.current_revision])
def test_a_server_that_does_not_answer_is_named(attempt, closed_port: int) -> None:
    with pytest.raises(ServiceUnavailable, match=r"Postgres does not answer .* DATABASE_URL"):
        attempt(f"postgresql://mobius:secret@127.0.0.1:{closed_port}/mobius")
