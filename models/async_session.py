"""Read from Postgres without blocking an event loop: the twin of ``models.session`` for the API.

The reads are the same functions of a ``Connection`` that the synchronous side calls; SQLAlchemy runs them on an
asynchronous connection. So there is one statement for a question, whoever asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from psycopg import errors
from sqlalchemy import Connection
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from models.session import CONNECT_TIMEOUT, connect_args, driver_url, translated
from pipeline.errors import SchemaMismatch

P = ParamSpec("P")
T = TypeVar("T")

#: Longest read (milliseconds); whoever waits for it has gone by then.
STATEMENT_TIMEOUT = 10_000
#: Seconds to wait for a connection while all are in use.
POOL_TIMEOUT = 5.0


class AsyncReader:
    """Runs read functions on a bounded pool of asynchronous connections; nothing connects before the first use."""

    def __init__(self, database_url: str, *, pool_size: int, connect_timeout: int = CONNECT_TIMEOUT) -> None:
        self._engine = create_async_engine(
            driver_url(database_url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT,
            pool_pre_ping=True,
            connect_args={
                **connect_args(
                    connect_timeout=connect_timeout,
                    statement_timeout=STATEMENT_TIMEOUT,
                    default_transaction_read_only="on",
                ),
                "application_name": "mobius-ingest api",
            },
        )

    async def read(self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a connection reads, in one transaction that can change nothing.

        Raises:
            ServiceUnavailable: Postgres is down, was restarted, or timed out.
            SchemaMismatch: A table or column that is read is not there.
        """
        try:
            with translated():
                async with self._engine.connect() as connection:
                    return await connection.run_sync(question, *args, **kwargs)
        except ProgrammingError as exc:
            if isinstance(exc.orig, errors.UndefinedTable | errors.UndefinedColumn):
                raise SchemaMismatch from exc
            raise

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        await self._engine.dispose()
