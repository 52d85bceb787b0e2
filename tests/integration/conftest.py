"""The bench on the test's own database."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from harness.bench import Bench

_numbers = itertools.count(1)


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    """A real ledger with a fake index and a recording embedder; three attempts per slice."""
    made = Bench(database_url)
    yield made
    made.close()


@pytest.fixture
def empty_database_url(services: dict[str, str]) -> Iterator[str]:
    """A database that nothing was ever done to."""
    admin = urlsplit(services["DATABASE_URL"])
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(admin._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield admin._replace(path=f"/{name}").geturl()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine where nobody listens, held for the length of the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
