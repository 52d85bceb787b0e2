"""No test of this ring talks to anything outside its own process."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

#: Whether a port answers is the very subject of these; they listen themselves.
ABOUT_SOCKETS = Path(__file__).parent / "worker" / "local"


@pytest.fixture(autouse=True)
def no_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection except to a Unix socket."""
    if request.path.is_relative_to(ABOUT_SOCKETS):
        return
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def refuse(address: object) -> NoReturn:
        # Not an OSError: code that waits for a service would swallow that and try again.
        pytest.fail(f"a unit test connects to {address!r}; use a shipped fake, or move it to another ring")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        return connect(self, address) if self.family == socket.AF_UNIX else refuse(address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        return connect_ex(self, address) if self.family == socket.AF_UNIX else refuse(address)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
