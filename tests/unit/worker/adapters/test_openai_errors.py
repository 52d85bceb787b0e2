"""How long a 429 asks to wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from worker.adapters.openai_errors import retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e9"}, 3600.0),
        ({"retry-after": "inf"}, 3600.0),
        ({"retry-after": "nan"}, 10.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:20 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:20 -0000"}, 20.0),
        ({"retry-after": "tomorrow"}, 10.0),
        # Our clock is behind, ahead, or all that there is to go by.
        ({"retry-after": "Thu, 01 Jan 2026 12:10:20 GMT", "date": "Thu, 01 Jan 2026 12:10:00 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 2026 11:50:20 GMT", "date": "Thu, 01 Jan 2026 11:50:00 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:20 GMT", "date": "soon"}, 20.0),
        ({"retry-after": "", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "5", "retry-after-ms": "?"}, 5.0),
        ({}, 10.0),
    ],
)
def test_every_form_of_retry_after_becomes_bounded_seconds(headers, seconds):
    assert retry_after(headers, NOW) == seconds
