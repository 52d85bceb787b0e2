"""The ledgers that the contract holds to the same claims: the shipped one in memory, and the real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.bench import Bench
from harness.fake_bench import FakeBench
from harness.steps import Steps


@pytest.fixture(params=["memory", "postgres"])
def bench(request: pytest.FixtureRequest) -> Iterator[Steps]:
    """A ledger of the test's own, with a fake index and a recording embedder; three attempts per slice."""
    made = FakeBench() if request.param == "memory" else Bench(request.getfixturevalue("database_url"))
    yield made
    made.close()
