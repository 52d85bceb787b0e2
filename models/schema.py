"""Bring a database to the schema this version needs, and refuse to work on any other.

A database at an older schema asks for ``mobius migrate``; one at a newer schema asks for a newer mobius-ingest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from models.session import CONNECT_TIMEOUT, driver_url
from pipeline.errors import SchemaMismatch, ServiceUnavailable

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
#: Serialises concurrent migrations of one database; the number means nothing.
_MIGRATION_LOCK = 7_316_283


def upgrade(database_url: str, revision: str = "head") -> None:
    """Migrate the database up to a revision; harmless when several do it at once.

    Raises:
        SchemaMismatch: The database lacks the pgvector extension, or is newer than this version.
        ServiceUnavailable: Postgres does not answer.
    """
    _migrate(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Migrate the database down to a revision (``base`` removes everything).

    Raises:
        SchemaMismatch: The database is newer than this version.
        ServiceUnavailable: Postgres does not answer.
    """
    _migrate(database_url, lambda config: command.downgrade(config, revision))


def check(database_url: str) -> None:
    """Return if the database has exactly the schema that this version needs.

    Raises:
        SchemaMismatch: It is empty, older, newer, or without pgvector.
        ServiceUnavailable: Postgres does not answer.
    """
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    current = current_revision(database_url)
    if current == head:
        return
    _refuse_unknown(current)
    raise SchemaMismatch(
        f"the database is at schema {current or 'none'}, but this version needs {head}: run `mobius migrate`."
    )


def current_revision(database_url: str) -> str | None:
    """Return the database's schema revision; None if it was never migrated.

    Raises:
        ServiceUnavailable: Postgres does not answer.
    """
    engine = _engine(database_url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except OperationalError as exc:
        raise _unavailable(exc) from exc
    finally:
        engine.dispose()


def _migrate(database_url: str, migrate: Callable[[Config], None]) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    engine = _engine(database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
            _refuse_unknown(MigrationContext.configure(connection).get_current_revision())
            connection.rollback()
            _require_pgvector(connection)
            config.attributes["connection"] = connection
            migrate(config)
            connection.commit()
    except OperationalError as exc:
        raise _unavailable(exc) from exc
    finally:
        engine.dispose()


def _refuse_unknown(current: str | None) -> None:
    known = {revision.revision for revision in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaMismatch(
            f"the database is at schema {current}, which this version of mobius-ingest does not know: it was migrated"
            " by a newer one. Upgrade mobius-ingest, or point DATABASE_URL at another database."
        )


def _require_pgvector(connection: Connection) -> None:
    found = connection.execute(text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'")).scalar()
    connection.rollback()
    if not found:
        raise SchemaMismatch(
            "this PostgreSQL server has no pgvector: install it on the server (package postgresql-NN-pgvector, or the"
            " image pgvector/pgvector), then run `mobius migrate` again."
        )


def _engine(database_url: str) -> Engine:
    return create_engine(
        driver_url(database_url), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT}
    )


def _unavailable(exc: OperationalError) -> ServiceUnavailable:
    reason = str(exc.orig).strip().splitlines()[0]
    return ServiceUnavailable(
        "Postgres", f"Postgres does not answer ({reason}); check that it runs and that DATABASE_URL is right."
    )
