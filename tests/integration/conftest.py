"""The bench on the test's own database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.bench import Bench


@pytest.fixture
def bench(database_url: str) -> Iterator[Bench]:
    """A real ledger with a fake index and a recording embedder; three attempts per slice."""
    made = Bench(database_url)
    yield made
    made.close()
