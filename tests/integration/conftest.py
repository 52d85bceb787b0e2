"""The bench on the test's own database."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.bench import Bench
from harness.servers import RedisServer


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    """A real ledger with a fake index and a recording embedder; three attempts per slice."""
    made = Bench(database_url)
    yield made
    made.close()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine where nobody listens, held for the length of the test."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
