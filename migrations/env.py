"""Alembic's entry: runs on the connection that ``models.schema`` hands over, in one transaction."""

from __future__ import annotations

from alembic import context

from models import documents, embeddings, operations, runs, tenancy
from models.base import Base

#: Imported for their tables.
FAMILIES = (tenancy, documents, runs, embeddings, operations)


def run() -> None:
    """Run the migrations; a half-done migration leaves nothing behind, for Postgres rolls DDL back."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


run()
