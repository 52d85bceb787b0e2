"""Let the programs that tests start be interrupted, also where the tests run in a shell's background."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Take interrupts again: a shell's background job ignores them, and so would every program that it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
