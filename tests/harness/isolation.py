"""Refuse every way out of this process, whichever library takes it.

Python raises an audit event below every socket, also those of asyncio and of what is written in C but uses Python's; an
audit hook cannot be removed, so it asks whether a guard stands. libpq has sockets of its own, and is stopped where
psycopg calls it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg.generators
import pytest

#: The audit events of what leaves the process, and which argument says where to.
_WAYS_OUT = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: What guards now; the last one counts.
_guards: list[bool] = []


@contextmanager
def no_way_out(*, loopback: bool) -> Iterator[None]:
    """Let a test fail that leaves its process; with ``loopback`` it may talk to this machine."""
    _guards.append(loopback)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.generators, "connect", _refuse)
        try:
            yield
        finally:
            _guards.pop()


def _refuse(address: object) -> NoReturn:
    # Not an OSError: code that waits for a service would swallow that and try again.
    pytest.fail(f"a unit test connects to {address!r}; use a shipped fake, or move it to another ring")


def _judge(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _WAYS_OUT or not _guards:
        return
    address = arguments[_WAYS_OUT[event]]
    # A Unix socket's address is a path; an already connected socket needs none.
    host = address if event in _LOOKUPS else address[0] if isinstance(address, tuple) else None
    is_here = host in _LOOPBACK and (_guards[-1] or event in _LOOKUPS)
    if host is not None and not is_here:
        _refuse(address)


sys.addaudithook(_judge)
