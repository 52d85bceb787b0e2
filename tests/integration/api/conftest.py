"""The API over the bench."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.api import ApiDesk, api_desk
from harness.bench import Bench


@pytest.fixture
def desk(bench: Bench, database_url: str) -> Iterator[ApiDesk]:
    """The API in this process, on the test's own database; there is no Redis."""
    with api_desk(bench, database_url) as made:
        yield made
