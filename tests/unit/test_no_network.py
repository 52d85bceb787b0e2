"""The unit ring really is cut off, whichever library tries."""

from __future__ import annotations

import _socket
import asyncio
import gc
import socket
import traceback
import urllib.request
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
import sqlalchemy
from harness.isolation import no_way_out

#: Discards what it gets, if anybody is there at all.
HOST, PORT = "127.0.0.1", 9
POSTGRES = f"postgresql://user@{HOST}:{PORT}/db?connect_timeout=2"


async def open_stream() -> None:
    await asyncio.open_connection(HOST, PORT)


async def open_datagrams() -> None:
    await asyncio.get_running_loop().create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=(HOST, PORT))


async def ask_by_httpx() -> None:
    async with httpx.AsyncClient() as client:
        await client.get(f"http://{HOST}:{PORT}")


async def connect_to_postgres() -> None:
    await psycopg.AsyncConnection.connect(POSTGRES)


def below_the_socket_module() -> None:
    made = _socket.socket()
    try:
        made.connect((HOST, PORT))
    finally:
        made.close()


def with_socket(use: Callable[[socket.socket], object], kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    with socket.socket(type=kind) as made:
        use(made)


WAYS: dict[str, Callable[[], object]] = {
    "connect": lambda: with_socket(lambda made: made.connect((HOST, PORT))),
    "connect_ex": lambda: with_socket(lambda made: made.connect_ex((HOST, PORT))),
    "sendto": lambda: with_socket(lambda made: made.sendto(b"x", (HOST, PORT)), socket.SOCK_DGRAM),
    "sendmsg": lambda: with_socket(lambda made: made.sendmsg([b"x"], [], 0, (HOST, PORT)), socket.SOCK_DGRAM),
    "create_connection": lambda: socket.create_connection((HOST, PORT)),
    "a socket without the socket module": below_the_socket_module,
    "a name": lambda: socket.getaddrinfo("a.name.invalid", PORT),
    "urllib": lambda: urllib.request.urlopen(f"http://{HOST}:{PORT}"),
    "asyncio": lambda: asyncio.run(open_stream()),
    "asyncio's datagrams": lambda: asyncio.run(open_datagrams()),
    "httpx": lambda: httpx.get(f"http://{HOST}:{PORT}"),
    "httpx on asyncio": lambda: asyncio.run(ask_by_httpx()),
    "redis": lambda: redis.Redis(HOST, PORT).ping(),
    "psycopg, whose sockets are libpq's": lambda: psycopg.connect(POSTGRES),
    "psycopg on asyncio": lambda: asyncio.run(connect_to_postgres()),
    "SQLAlchemy": lambda: sqlalchemy.create_engine(POSTGRES.replace(":", "+psycopg:", 1)).connect(),
}


# They close their socket after an OSError and leave it open after a failed test.
@pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("way", WAYS)
def test_a_connection_fails_the_test_that_makes_it(way: str) -> None:
    # anyio makes a group of it.
    with pytest.raises((pytest.fail.Exception, BaseExceptionGroup)) as failed:
        WAYS[way]()
    assert "a unit test connects to" in "".join(traceback.format_exception(failed.value))
    del failed
    gc.collect()


def test_the_tests_about_sockets_reach_this_machine_and_no_other() -> None:
    with no_way_out(loopback=True), socket.create_server((HOST, 0)) as server:
        socket.create_connection(server.getsockname()).close()
        with socket.socket() as made, pytest.raises(pytest.fail.Exception, match="another ring"):
            made.connect(("192.0.2.1", PORT))  # an address that is nobody's, by RFC 5737


def test_unix_sockets_still_connect(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
