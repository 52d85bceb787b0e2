"""Look into a test's database and change it by hand, beside the product's own statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, select, text

from models import documents, embeddings, operations, runs, tenancy
from models.base import Base
from models.control import PostgresControl
from models.session import open_engine

#: Imported for their tables.
FAMILIES = (documents, embeddings, operations, runs, tenancy)


class Database:
    """One database; ``close`` it at the end."""

    def __init__(self, url: str) -> None:
        self.engine = open_engine(url, pool_size=5)
        self.control = PostgresControl(self.engine)

    def close(self) -> None:
        """Release the connections."""
        self.engine.dispose()

    def rows(self, sql: str, **values: object) -> list[dict[str, Any]]:
        """Run a statement and return its rows, if it has any."""
        with self.engine.begin() as connection:
            result = connection.execute(text(sql), values)
            return [dict(row) for row in result.mappings()] if result.returns_rows else []

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return all rows of a table, always in the same order."""
        found = Base.metadata.tables[name]
        with self.engine.begin() as connection:
            return [dict(row) for row in connection.execute(select(found).order_by(*found.primary_key)).mappings()]

    def one(self, sql: str, **values: object) -> Any:
        """Return the only value of a query's only row."""
        (row,) = self.rows(sql, **values)
        (value,) = row.values()
        return value

    def waiting_for_locks(self) -> int:
        """Return how many connections to this database wait for somebody's lock."""
        return int(
            self.one(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        )

    @contextmanager
    def counted_statements(self) -> Iterator[list[str]]:
        """Collect the statements that are sent within the block."""
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            sent.append(statement)

        event.listen(self.engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(self.engine, "before_cursor_execute", note)
