"""Bring a database to the schema this version needs, and refuse to work on an older one.

A database at an older schema asks for ``mobius migrate``. One at a newer schema is worked on: migrations only add what
the version before them may ignore (a test holds them to that), so that a fleet is upgraded while it works, migration
first. But no older version migrates it. Every command checks, so the check does without Alembic, which takes 0.3 s to
import: a migration's file begins with its revision's number, and revisions form one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from models.session import IDLE_TIMEOUT, connect_args, driver_url
from pipeline.errors import SchemaMismatch, ServiceUnavailable

_MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
#: Serialises concurrent migrations of one database; the number means nothing.
_MIGRATION_LOCK = 7_316_283
#: Everybody who comes later queues behind a migration that waits for a table, so it waits briefly (s), lets them
#: through for as long, and tries again, so many times.
PATIENCE = 3.0
TRIES = 20
_HOLDERS = text(
    "SELECT DISTINCT a.pid, a.application_name, extract(epoch FROM now() - a.xact_start)::int AS seconds"
    " FROM pg_locks l JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = 'public'::regnamespace"
    " JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.granted AND a.pid <> pg_backend_pid()"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " ORDER BY seconds DESC LIMIT 3"
)


def _say_nothing(_message: str) -> None:
    pass


def upgrade(database_url: str, revision: str = "head", *, on_wait: Callable[[str], None] = _say_nothing) -> None:
    """Migrate the database up to a revision; harmless when several do it at once, and while a fleet works.

    ``on_wait`` is told, each time it has to wait, who uses the tables.

    Raises:
        SchemaMismatch: The database lacks the pgvector extension, or is newer than this version.
        ServiceUnavailable: Postgres does not answer, or others use the tables all the while; nothing was changed.
    """
    _migrate(database_url, "upgrade", revision, on_wait)


def downgrade(database_url: str, revision: str) -> None:
    """Migrate the database down to a revision (``base`` removes everything).

    Raises:
        SchemaMismatch: The database is newer than this version.
        ServiceUnavailable: Postgres does not answer, or others use the tables all the while; nothing was changed.
    """
    _migrate(database_url, "downgrade", revision, _say_nothing)


def check(database_url: str) -> None:
    """Return if the database has the schema that this version needs, or a newer one.

    Raises:
        SchemaMismatch: It is empty, older, or of no version of ours.
        ServiceUnavailable: Postgres does not answer.
    """
    require_current(current_revision(database_url))


def require(connection: Connection) -> None:
    """Return if the connection's database has the schema that this version needs, or a newer one.

    Raises:
        SchemaMismatch: It is empty, older, or of no version of ours.
    """
    require_current(revision_of(connection))


def require_current(revision: str | None) -> None:
    """Return if this is the schema revision that this version needs, or a newer one; None: never migrated.

    Raises:
        SchemaMismatch: It is none, older, or of no version of ours.
    """
    needed = known_revisions()[-1]
    if revision == needed or is_newer(revision):
        return
    _refuse_unknown(revision)
    raise SchemaMismatch(
        f"the database is at schema {revision or 'none'}, but this version needs {needed}: run `mobius migrate`."
    )


def is_newer(revision: str | None) -> bool:
    """Return whether a migration of a later version made this revision."""
    needed = known_revisions()[-1]
    return revision is not None and revision.isdecimal() and len(revision) == len(needed) and revision > needed


def known_revisions() -> list[str]:
    """Return the revisions of this version, oldest first."""
    return sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def current_revision(database_url: str) -> str | None:
    """Return the database's schema revision; None if it was never migrated.

    Raises:
        ServiceUnavailable: Postgres does not answer.
    """
    engine = _engine(database_url)
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    except OperationalError as exc:
        raise _unavailable(exc) from exc
    finally:
        engine.dispose()


def _migrate(
    database_url: str, direction: Literal["upgrade", "downgrade"], revision: str, on_wait: Callable[[str], None]
) -> None:
    from alembic import command  # noqa: PLC0415  see the top of this module
    from alembic.config import Config  # noqa: PLC0415  the same

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    engine = _engine(database_url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            connection.commit()
            _refuse_unknown(revision_of(connection))
            connection.rollback()
            _require_pgvector(connection)
            config.attributes["connection"] = connection
            migrate = command.upgrade if direction == "upgrade" else command.downgrade
            _in_turn(connection, partial(migrate, config, revision), on_wait)
    except OperationalError as exc:
        raise _unavailable(exc) from exc
    finally:
        engine.dispose()


def _in_turn(connection: Connection, migrate: Callable[[], None], on_wait: Callable[[str], None]) -> None:
    """Migrate in one transaction, as soon as nobody else uses the tables.

    Raises:
        ServiceUnavailable: Others used them all the while.
    """
    connection.execute(text(f"SET lock_timeout = {int(PATIENCE * 1000)}"))
    connection.commit()
    for _ in range(TRIES):
        try:
            migrate()
            connection.commit()
        except OperationalError as exc:
            if not isinstance(exc.orig, LockNotAvailable):
                raise
            connection.rollback()
            holders = _holders(connection)
        else:
            return
        on_wait(f"the tables are in use by {holders}; trying again")
        time.sleep(PATIENCE)
    raise ServiceUnavailable(
        "Postgres",
        f"the migration got no turn, for the tables are in use by {holders}. Nothing was changed: let that end (a long"
        " ingestion, a backup), or end it with SELECT pg_terminate_backend(PID), then run `mobius migrate` again.",
    )


def _holders(connection: Connection) -> str:
    """Say who uses tables of ours, those who have done it for longest."""
    rows = connection.execute(_HOLDERS).all()
    connection.rollback()
    named = [f"process {row.pid} ({row.application_name or 'without a name'}, for {row.seconds} s)" for row in rows]
    return ", ".join(named) or "others, for moments"


def revision_of(connection: Connection) -> str | None:
    """Return the revision that Alembic has recorded; None where it never did."""
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _refuse_unknown(current: str | None) -> None:
    if current is not None and current not in known_revisions():
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
        driver_url(database_url),
        poolclass=NullPool,
        connect_args=connect_args(idle_in_transaction_session_timeout=IDLE_TIMEOUT),
    )


def _unavailable(exc: OperationalError) -> ServiceUnavailable:
    reason = str(exc.orig).strip().splitlines()[0]
    return ServiceUnavailable(
        "Postgres", f"Postgres does not answer ({reason}); check that it runs and that DATABASE_URL is right."
    )
