"""What every table shares: UUID keys, named constraints, times with a zone, and no join without an index."""

from __future__ import annotations

import pytest
from sqlalchemy import DateTime, Table, Uuid

from models import documents, embeddings, operations, runs, tenancy
from models.base import Base

FAMILIES = (tenancy, documents, runs, embeddings, operations)
TABLES = list(Base.metadata.sorted_tables)
#: Their keys are content: hashes, and what a hash depends on besides.
KEYED_BY_CONTENT = {"blobs", "outlines", "chunk_sets", "embeddings"}


def test_there_is_one_table_for_each_word_of_the_vocabulary() -> None:
    assert {table.name for table in TABLES} == {
        "tenants", "projects", "sources", "api_keys",
        "documents", "blobs", "outlines", "chunk_sets", "chunks",
        "runs", "slices", "run_documents",
        "models", "embeddings",
        "dead_letters", "reconciliations", "drifts", "fleet_pauses",
    }  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_rows_are_keyed_by_uuid_or_by_content(table: Table) -> None:
    if table.name not in KEYED_BY_CONTENT | {"fleet_pauses"}:  # which has one row at most
        assert all(isinstance(column.type, Uuid) for column in table.primary_key)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_every_constraint_has_a_name(table: Table) -> None:
    assert all(constraint.name for constraint in table.constraints)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_every_time_has_a_zone(table: Table) -> None:
    times = [column for column in table.columns if isinstance(column.type, DateTime)]
    assert all(column.type.timezone for column in times)
