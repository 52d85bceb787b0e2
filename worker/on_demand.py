"""Make a port when it is first used, for the many processes that never use it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _OnDemand:
    """Stands for what ``make`` returns, which is called once, whoever asks first."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: object | None = None

    def __getattr__(self, name: str) -> Any:
        with self._making:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def on_demand(make: Callable[[], T]) -> T:
    """Return what has every method and property of what ``make`` returns, and makes it at the first use of one.

    What ``make`` raises is raised there, each time.
    """
    return cast(T, _OnDemand(make))
