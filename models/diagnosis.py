"""Read what a database says about itself, and whether slices are stuck in it; nothing here changes anything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from models.pausing import FLEET_PAUSED, PAUSED_RUNS
from models.schema import revision_of
from models.session import LISTEN, connect_args, driver_url, translated

#: libpq takes no shorter time for one attempt to connect (seconds).
_CONNECT_TIMEOUT = 2
#: For one statement, locks included (milliseconds).
_STATEMENT_TIMEOUT = 1500

_SERVER = text(
    "SELECT current_setting('server_version_num')::int AS version,"
    " current_setting('server_version') AS version_name,"
    " pg_is_in_recovery() AS is_replica,"
    " current_setting('transaction_read_only') = 'on' AS is_read_only,"
    " current_setting('server_encoding') AS encoding,"
    " current_setting('fsync') AS fsync,"
    " current_setting('full_page_writes') AS full_page_writes,"
    " current_setting('synchronous_commit') AS synchronous_commit,"
    " (SELECT installed_version FROM pg_available_extensions WHERE name = 'vector') AS pgvector,"
    " EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') AS has_pgvector_files,"
    " pg_database_size(current_database()) AS database_bytes,"
    # Only superusers and monitoring roles may see it.
    " (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory"
)
_CONNECTIONS = text(
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true), '0')::int AS server_limit,"
    " (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database_limit,"
    " (SELECT rolconnlimit FROM pg_roles WHERE rolname = session_user) AS role_limit,"
    " count(*) FILTER (WHERE NOT is_ours) AS others, count(*) FILTER (WHERE is_ours) AS ours,"
    f" count(*) FILTER (WHERE is_ours AND query ILIKE '{LISTEN}%') AS dispatchers"
    " FROM (SELECT query, datname IS NOT DISTINCT FROM current_database()"
    f" AND coalesce(application_name = 'mobius-ingest' OR query ILIKE '{LISTEN}%', false) AS is_ours"
    " FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS a"
)
_BACKLOG = text(
    "SELECT count(*) FILTER (WHERE is_waiting) AS waiting,"
    " coalesce(extract(epoch FROM now() - min(since) FILTER (WHERE is_waiting)), 0) AS longest_wait,"
    " count(*) FILTER (WHERE state <> 'ready') AS in_flight, count(*) FILTER (WHERE state = 'running') AS running,"
    " count(*) FILTER (WHERE state = 'running' AND lease_until < now() - make_interval(secs => :patience)"
    " OR state = 'dispatched' AND dispatched_at < now() - make_interval(secs => :patience + :dispatch_timeout))"
    " AS unswept"
    " FROM (SELECT state, lease_until, dispatched_at, since,"
    " state = 'ready' AND since < now() - make_interval(secs => :patience)"
    f" AND run_id <> ALL({PAUSED_RUNS}) AND NOT {FLEET_PAUSED} AS is_waiting"
    " FROM (SELECT run_id, state, lease_until, dispatched_at, greatest(updated_at, not_before) AS since FROM slices"
    " WHERE state IN ('ready', 'dispatched', 'running')) AS s) AS t"
)


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says about itself and about the database; ``data_directory``: None where it does not say."""

    version: int
    version_name: str
    is_replica: bool
    is_read_only: bool
    encoding: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    pgvector: str | None
    has_pgvector_files: bool
    database_bytes: int
    data_directory: str | None


@dataclass(frozen=True, slots=True)
class Connections:
    """Connections that there may be, -1 for no limit, and those that there are besides the one that asks."""

    server_limit: int
    database_limit: int
    role_limit: int
    others: int
    ours: int
    dispatchers: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Slices ready for longer than the patience (paused ones aside), in flight, and those no sweep brought back.

    Of those in flight, ``running`` are held by a worker.
    """

    waiting: int
    longest_wait: float
    in_flight: int
    unswept: int
    running: int = 0


@contextmanager
def looking(database_url: str) -> Iterator[Connection]:
    """Open one connection that neither waits long nor stays.

    Raises:
        MisconfiguredError: The URL is none.
        ServiceUnavailable: Postgres does not answer, or not in time.
    """
    engine = create_engine(
        driver_url(database_url),
        poolclass=NullPool,
        connect_args=connect_args(connect_timeout=_CONNECT_TIMEOUT, statement_timeout=_STATEMENT_TIMEOUT),
    )
    try:
        with translated(), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def server(connection: Connection) -> Server:
    """Return what the server says about itself and the database."""
    return Server(**connection.execute(_SERVER).mappings().one())


def connections(connection: Connection) -> Connections:
    """Return how many connections there may be and are."""
    return Connections(**connection.execute(_CONNECTIONS).mappings().one())


def schema_revision(connection: Connection) -> str | None:
    """Return the schema revision; None where it was never migrated."""
    return revision_of(connection)


def backlog(connection: Connection, patience: float, dispatch_timeout: float) -> Backlog:
    """Count slices that wait for longer than ``patience`` seconds; the schema has to be this version's."""
    row = connection.execute(_BACKLOG, {"patience": patience, "dispatch_timeout": dispatch_timeout}).one()
    return Backlog(row.waiting, float(row.longest_wait), row.in_flight, row.unswept, row.running)


def clock(connection: Connection) -> tuple[float, float]:
    """Return by how many seconds the server's clock is ahead of ours, and how far off that may be."""
    before = time.time()
    theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
    after = time.time()
    return theirs - (before + after) / 2, (after - before) / 2
