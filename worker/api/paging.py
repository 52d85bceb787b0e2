"""Pages of a list: a bounded number of rows, and a token that stands for the last of them.

The token is opaque to clients. It names a row's key, not a number of rows, so it stays right while rows come and go.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from models.listings import Moment
from worker.api.errors import InvalidRequest

T = TypeVar("T")

MAX_LIMIT = 100

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows of this page at most.")]
After = Annotated[
    str | None, Query(max_length=200, description="`next` of the page before; leave it out for the first page.")
]


class Page(BaseModel, Generic[T]):
    """Some rows of a list."""

    items: list[T]
    next: str | None = Field(description="Send it as `after` to get the rows that follow; null: these were the last.")


def page(rows: Sequence[T], limit: int, token_of: Callable[[T], str]) -> Page[T]:
    """Return a page from one row more than it shows: that one tells whether there are more."""
    shown = list(rows[:limit])
    return Page(items=shown, next=token_of(shown[-1]) if len(rows) > limit else None)


def moment_token(at: datetime, row_id: UUID) -> str:
    """Return the token of a row in a list that is ordered by time."""
    return _token([at.isoformat(), str(row_id)])


def id_token(row_id: UUID) -> str:
    """Return the token of a row in a list that is ordered by id."""
    return _token([str(row_id)])


def parse_moment(token: str | None) -> Moment | None:
    """Return what `moment_token` was given.

    Raises:
        InvalidRequest: The token is not one of ours.
    """
    if token is None:
        return None
    try:
        at, row_id = _parts(token)
        return datetime.fromisoformat(at), UUID(row_id)
    except (ValueError, TypeError) as exc:
        raise _refused() from exc


def parse_id(token: str | None) -> UUID | None:
    """Return what `id_token` was given.

    Raises:
        InvalidRequest: The token is not one of ours.
    """
    if token is None:
        return None
    try:
        (row_id,) = _parts(token)
        return UUID(row_id)
    except (ValueError, TypeError) as exc:
        raise _refused() from exc


def _token(parts: list[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _parts(token: str) -> list[str]:
    try:
        parts = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, RecursionError) as exc:
        raise ValueError("no token of ours") from exc
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("no token of ours")
    return parts


def _refused() -> InvalidRequest:
    return InvalidRequest("query.after: it is no `next` of an earlier page of this list; leave it out to begin anew.")
