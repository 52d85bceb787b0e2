"""A port whose caller meets something at one call: by default its death, before the call or before its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Died(BaseException):
    """A process ended here; nothing that catches errors may catch it."""


def die() -> None:
    """End the caller's process.

    Raises:
        Died: Always.
    """
    raise Died


class DyingCaller:
    """Passes every call on to a port; at the ``nth`` (from 1) call of a name something happens, by default death.

    Without a name, calls of any name count. ``after``: that call is made first, but where what happens raises, its
    caller does not hear of it. ``calls`` are the names that were called.
    """

    def __init__(
        self, port: Any, *, nth: int = 1, name: str = "", after: bool = False, event: Callable[[], object] = die
    ) -> None:
        self.calls: list[str] = []
        self._port = port
        self._nth = nth
        self._name = name
        self._after = after
        self._event = event

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found):
            return found

        def passed_on(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            is_the_one = self._is_the_one(name)
            if is_the_one and not self._after:
                self._event()
            answer = found(*args, **kwargs)
            if is_the_one and self._after:
                self._event()
            return answer

        return passed_on

    def _is_the_one(self, name: str) -> bool:
        if not self._name:
            return len(self.calls) == self._nth
        return name == self._name and self.calls.count(name) == self._nth
