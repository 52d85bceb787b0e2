"""Whatever an error says fits into the ledger."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MESSAGE_LENGTH, storable


@pytest.mark.parametrize(
    ("message", "stored"),
    [
        ("plain", "plain"),
        ("größe 🦀", "größe 🦀"),
        ("a\0b", "a\\0b"),
        ("half \ud83d pair", "half \\ud83d pair"),
        ("", ""),
    ],
)
def test_only_what_postgres_refuses_is_written_differently(message: str, stored: str) -> None:
    assert storable(message) == stored


@given(st.text(st.characters(exclude_categories=()), max_size=50))
def test_every_message_is_text_without_nul_and_bounded(message: str) -> None:
    stored = storable(message * 100)
    stored.encode()
    assert "\0" not in stored
    assert len(stored) <= MESSAGE_LENGTH
