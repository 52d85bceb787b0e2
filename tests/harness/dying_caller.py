"""A port whose caller dies, or is failed, at one call: before it is made, or with the answer still on the wire."""

from __future__ import annotations

from typing import Any


class Died(BaseException):
    """A process ended here; nothing that catches errors may catch it."""


class DyingCaller:
    """Passes every call on to a port, until the ``nth`` (from 1) call of that name; without a name, of any.

    That one raises ``error``, by default the death of the caller. ``after``: it is made, and its caller does not hear
    of it. ``calls`` are the names that were called.
    """

    def __init__(
        self, port: Any, *, nth: int = 1, name: str = "", after: bool = False, error: BaseException | None = None
    ) -> None:
        self.calls: list[str] = []
        self._port = port
        self._nth = nth
        self._name = name
        self._after = after
        self._error = error or Died()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def passed_on(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            is_last = self._is_last(name)
            if is_last and not self._after:
                raise self._error
            answer = found(*args, **kwargs)
            if is_last:
                raise self._error
            return answer

        return passed_on

    def _is_last(self, name: str) -> bool:
        if not self._name:
            return len(self.calls) == self._nth
        return name == self._name and self.calls.count(name) == self._nth
