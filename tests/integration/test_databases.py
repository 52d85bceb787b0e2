"""What every other test of this ring stands on: its database is new, its own, and migrated."""

from __future__ import annotations

import psycopg
import pytest
from harness.databases import TEMPLATE, Databases

from models.schema import check


def test_a_database_is_a_migrated_copy_that_is_gone_afterwards(databases: Databases) -> None:
    with databases.migrated() as url:
        check(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_what_one_copy_is_told_no_other_knows(databases: Databases) -> None:
    with databases.migrated() as one, databases.migrated() as other:
        with psycopg.connect(one) as connection:
            connection.execute("INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'told')")
        with psycopg.connect(other) as connection:
            assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (0,)


def test_nobody_can_connect_to_the_template_and_so_block_a_copy(databases: Databases, services: dict[str, str]) -> None:
    url = services["DATABASE_URL"].rpartition("/")[0] + f"/{TEMPLATE}"
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(url)
