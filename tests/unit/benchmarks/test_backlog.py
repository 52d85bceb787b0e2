"""A backlog's figures are held against their bounds."""

from __future__ import annotations

import pytest

from benchmarks.backlog import tell
from benchmarks.backlog_run import Backlog


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        (Backlog(50.0, 300.0, 150.0, 8, 9_999.0), []),
        (Backlog(50.1, 300.0, 150.0, 8, 0.0), ["redis_megabytes"]),
        (Backlog(0.0, 300.1, 150.1, 9, 0.0), ["producer_megabytes", "dispatcher_megabytes", "depth"]),
    ],
)
def test_what_is_beyond_its_bound_is_named(
    found: Backlog, broken: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell(found, files=1_000, window=8) == broken
    assert "| depth |" in capsys.readouterr().out
