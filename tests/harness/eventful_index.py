"""A fake index in which a test lets something happen at one moment: between a write and what follows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pipeline.testing import FakeIndex
from pipeline.types import Point, PointMove, Retirement, Scope, StoredPoint


class EventfulIndex(FakeIndex):
    """A fake index that lets something happen right after its next call of a name: ``after["upsert"] = crash``."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.after: dict[str, Callable[[], object]] = {}

    def upsert(self, scope: Scope, points: Sequence[Point]) -> None:
        """Write, then let it happen."""
        super().upsert(scope, points)
        self._happen("upsert")

    def move(self, scope: Scope, moves: Sequence[PointMove]) -> None:
        """Move, then let it happen."""
        super().move(scope, moves)
        self._happen("move")

    def delete(self, scope: Scope, retirements: Sequence[Retirement]) -> None:
        """Delete, then let it happen."""
        super().delete(scope, retirements)
        self._happen("delete")

    def retrieve(self, scope: Scope, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """Read, then let it happen."""
        found = super().retrieve(scope, ids)
        self._happen("retrieve")
        return found

    def forget_log(self) -> None:
        """Start the lists of what was written, moved and deleted anew."""
        for log in (self.written, self.moved, self.deleted):
            log.clear()

    def _happen(self, call: str) -> None:
        self.after.pop(call, lambda: None)()
