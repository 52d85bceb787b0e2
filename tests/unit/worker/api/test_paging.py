"""A token names a row exactly, and a page knows whether it is the last."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from worker.api.errors import InvalidRequest
from worker.api.paging import id_token, moment_token, page, parse_id, parse_moment


def test_a_token_brings_back_what_it_was_made_of() -> None:
    at, row_id = datetime(2026, 11, 21, 9, 30, 0, 123_456, UTC), uuid4()
    assert parse_moment(moment_token(at, row_id)) == (at, row_id)
    assert parse_id(id_token(row_id)) == row_id
    assert parse_moment(None) is None
    assert parse_id(None) is None


def test_a_token_needs_no_escaping_in_an_address() -> None:
    assert moment_token(datetime.now(UTC), uuid4()).replace("-", "").replace("_", "").isalnum()


def test_a_token_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="leave it out to begin anew"):
        parse_moment(id_token(uuid4()))
    with pytest.raises(InvalidRequest):
        parse_id(moment_token(datetime.now(UTC), uuid4()))


@pytest.mark.parametrize(("rows", "shown", "token"), [([], [], None), ([1, 2], [1, 2], None), ([1, 2, 3], [1, 2], "2")])
def test_one_row_more_than_shown_tells_whether_there_are_more(
    rows: list[int], shown: list[int], token: str | None
) -> None:
    found = page(rows, 2, str)
    assert (found.items, found.next) == (shown, token)
