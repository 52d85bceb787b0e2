"""The unit ring really is cut off."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize("method", ["connect", "connect_ex"])
def test_a_connection_fails_the_test_that_makes_it(method: str) -> None:
    refused = pytest.raises(pytest.fail.Exception, match="another ring")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client, refused:
        getattr(client, method)(server.getsockname())


def test_unix_sockets_still_connect(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
