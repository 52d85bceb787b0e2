"""Find loopback ports that nobody uses, and keep to the ones used before.

Between finding a port and the server's own bind somebody else can take it. The server then fails to start, and the
next `up` chooses another one.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack

from worker.local.errors import StackError

LOOPBACK = "127.0.0.1"


def choose(wanted: Mapping[str, int | None], remembered: Mapping[str, int]) -> dict[str, int]:
    """Return a free port for every name: the wanted one, else the remembered one if it is free, else any.

    ``wanted`` holds what the operator set; None or 0 leaves the choice to us.

    Raises:
        StackError: A port that the operator set is taken, or cannot be used at all.
    """
    chosen: dict[str, int] = {}
    # All are held until the last one is found, so that no two names get the same.
    with ExitStack() as held:
        for name, port in wanted.items():
            if port:
                held.enter_context(_bind_wanted(name, port))
                chosen[name] = port
        for name in wanted.keys() - chosen.keys():
            probe = held.enter_context(_bind_any(remembered.get(name, 0)))
            chosen[name] = probe.getsockname()[1]
    return {name: chosen[name] for name in wanted}


def _bind(port: int) -> socket.socket:
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # As the servers themselves do: connections of an earlier life that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        # Two sockets with SO_REUSEADDR may both bind; only one may listen.
        probe.listen(1)
    except (OSError, OverflowError):
        probe.close()
        raise
    return probe


def _bind_wanted(name: str, port: int) -> socket.socket:
    try:
        return _bind(port)
    except (OSError, OverflowError) as exc:
        raise StackError(
            f"Port {port}, which is set for {name}, cannot be used on {LOOPBACK} ({exc}): set another port, or end "
            f"the program that uses it."
        ) from exc


def _bind_any(remembered: int) -> socket.socket:
    try:
        return _bind(remembered)
    except (OSError, OverflowError):
        return _bind(0)
