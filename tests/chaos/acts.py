"""Small deeds on processes, and the patience to see what comes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress


def signal_group(pid: int, number: int) -> None:
    """Send a signal to a session's leader and all in its group; one that is gone is fine."""
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


def signal_one(pid: int, number: int) -> None:
    """Send a signal to a single process; one that is gone is fine."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def holds_within(claim: Callable[[], bool], seconds: float) -> bool:
    """Wait until a claim holds; tell whether that came true in time."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
