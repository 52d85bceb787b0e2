"""A ledger whose caller dies at one of its calls: before it is made, or with its answer still on the wire."""

from __future__ import annotations

from typing import Any


class Died(BaseException):
    """A process ended here; nothing that catches errors may catch it."""


class DyingLedger:
    """Passes every call on, until the ``nth`` (from 1) call of that name; without a name, of any.

    ``after``: the call is made, and its caller dies before it hears of it. ``calls`` are the names that were called.
    """

    def __init__(self, ledger: Any, *, nth: int = 1, name: str = "", after: bool = False) -> None:
        self.calls: list[str] = []
        self._ledger = ledger
        self._nth = nth
        self._name = name
        self._after = after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._ledger, name)

        def passed_on(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            dies = self._name in {"", name} and self._count(name) == self._nth
            if dies and not self._after:
                raise Died
            answer = call(*args, **kwargs)
            if dies:
                raise Died
            return answer

        return passed_on

    def _count(self, name: str) -> int:
        return self.calls.count(name) if self._name else len(self.calls)
