"""Open connections to Postgres, and say in the domain's words when it does not answer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pipeline.errors import MisconfiguredError, ServiceUnavailable

#: Seconds to wait for a connection before Postgres counts as down.
CONNECT_TIMEOUT = 5
#: No statement of ours waits longer for a row that another transaction holds (milliseconds).
LOCK_TIMEOUT = 30_000
#: A transaction whose process says nothing for so long is ended, and its locks with it (milliseconds): before the
#: lease of a worker's slice is. Who calls others from within a transaction asks for more.
IDLE_TIMEOUT = 15_000
#: How soon either side learns that the other's host is gone: after 10 s of silence and 3 questions, 5 s apart, or when
#: nobody has confirmed what was sent for 20 s. Sockets of one machine, which learn it at once, ignore all this.
_CLIENT_PROBES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_SERVER_PROBES = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_OUTAGES = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
#: To be executed in the transaction that makes slices ready: wakes up who listens.
NOTIFY = text("SELECT pg_notify('mobius_slices', '')")
#: What a listening connection executed last; running dispatchers are known by it.
LISTEN = "LISTEN mobius_slices"


def driver_url(database_url: str) -> str:
    """Return the URL with psycopg 3 as its driver, whichever of the usual spellings it came in.

    Raises:
        MisconfiguredError: It is no URL of a PostgreSQL database.
    """
    scheme, _, rest = database_url.partition("://")
    url = f"postgresql+psycopg://{rest}"
    try:
        make_url(url)
    except (ArgumentError, ValueError) as exc:
        raise _not_a_url() from exc
    if scheme not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise _not_a_url()
    return url


def _not_a_url() -> MisconfiguredError:
    # What it holds instead is not shown: there may be a password in it.
    return MisconfiguredError("DATABASE_URL is not usable: set it to postgresql://USER:PASSWORD@HOST:PORT/DATABASE.")


def open_engine(database_url: str, *, pool_size: int) -> Engine:
    """Return an engine with at most ``pool_size`` connections; nothing connects before the first use."""
    engine = create_engine(
        driver_url(database_url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
        connect_args={
            **connect_args(lock_timeout=LOCK_TIMEOUT, idle_in_transaction_session_timeout=IDLE_TIMEOUT),
            "application_name": "mobius-ingest",
        },
    )
    event.listen(engine, "connect", _register_vector)
    return engine


def connect_args(*, connect_timeout: int = CONNECT_TIMEOUT, **settings: int | str) -> dict[str, Any]:
    """Return what every connection of ours is opened with, ``settings`` being those of its session on the server."""
    options = " ".join(f"-c {name}={value}" for name, value in {**_SERVER_PROBES, **settings}.items())
    return {"connect_timeout": connect_timeout, "options": options, **_CLIENT_PROBES}


def _register_vector(connection: psycopg.Connection[Any], _record: object) -> None:
    # Before the first migration, and in a database without the extension, there is no such type yet.
    found = connection.execute("SELECT 1 FROM pg_type WHERE typname = 'vector'").fetchone()
    if found:
        register_vector(connection)
    connection.rollback()


@contextmanager
def listening(database_url: str) -> Iterator[Callable[[float, float], None]]:
    """Give what returns as soon as slices are ready, at the latest after a time drawn between two (s).

    Raises:
        ServiceUnavailable: Postgres is down, was restarted, or timed out.
    """
    url = driver_url(database_url).replace("+psycopg", "")
    with translated(), psycopg.connect(url, autocommit=True, **connect_args()) as connection:
        connection.execute(LISTEN)

        def wait(least: float, most: float) -> None:
            seconds = random.uniform(least, most)  # noqa: S311  no secret
            for _ in connection.notifies(timeout=seconds, stop_after=1):
                pass

        yield wait


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Run the block in one transaction.

    Raises:
        ServiceUnavailable: Postgres is down, was restarted, or timed out.
    """
    with translated(), engine.begin() as connection:
        yield connection


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """Return psycopg's own connection, in the same transaction: for what only the driver can do."""
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    if driver is None:
        raise RuntimeError("the connection is closed")
    return driver


@contextmanager
def translated() -> Iterator[None]:
    """Say in the domain's words that Postgres does not answer, whatever the block does with a connection.

    Raises:
        ServiceUnavailable: Postgres is down, was restarted, or timed out.
    """
    try:
        yield
    # psycopg's own errors come from what goes to the driver without SQLAlchemy.
    except (OperationalError, PoolTimeoutError, *_OUTAGES) as exc:
        raise ServiceUnavailable("Postgres", _first_line(exc)) from exc
    except DBAPIError as exc:
        if exc.connection_invalidated or _is_outdated(exc.orig):
            raise ServiceUnavailable("Postgres", _first_line(exc)) from exc
        raise


def _is_outdated(exc: BaseException | None) -> bool:
    """Return whether a migration has changed what a prepared statement reads; after a rollback it is prepared anew."""
    # The message is in the server's language, the function's name is not.
    return isinstance(exc, psycopg.errors.FeatureNotSupported) and (
        exc.diag.source_function == "RevalidateCachedQuery" or "cached plan must not change result type" in str(exc)
    )


def _first_line(exc: Exception) -> str:
    cause = getattr(exc, "orig", None) or exc
    lines = str(cause).strip().splitlines() or [type(cause).__name__]
    return f"Postgres does not answer ({lines[0]}); check that it runs and that DATABASE_URL is right."
