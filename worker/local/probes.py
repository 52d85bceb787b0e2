"""Ask a process whether it is ready, in its own protocol, with nothing but sockets.

The supervisor lives for weeks beside the workers, so it imports no client library. Every question takes at most
``TIMEOUT_SECONDS``.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from worker.local.ports import LOOPBACK
from worker.local.specs import Probe, ProbeKind

#: For one connection attempt and for one read (seconds).
TIMEOUT_SECONDS = 0.5

#: Ports that a service's URL need not name.
_DEFAULT_PORTS = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379, "http": 80, "https": 443}

#: Version 3.0 of PostgreSQL's protocol, as its start-up message carries it.
_POSTGRES_PROTOCOL = 196608


def is_ready(probe: Probe, age: float, log: Path, log_start: int) -> bool:
    """Answer the probe. ``age``: seconds since the process began; its own log lines begin at ``log_start`` (bytes)."""
    match probe.kind:
        case ProbeKind.ALIVE:
            return age >= probe.seconds
        case ProbeKind.LOG:
            return age >= probe.seconds or _log_says(log, log_start, probe.text.encode())
        case ProbeKind.HTTP:
            request = f"GET {probe.text} HTTP/1.0\r\nHost: {LOOPBACK}\r\n\r\n".encode()
            return _ask(probe.port, request, lambda reply: reply.startswith((b"HTTP/1.0 2", b"HTTP/1.1 2")))
        case ProbeKind.POSTGRES:
            # A server that is still starting or recovering answers E (error) instead of R (authenticate).
            return _ask(probe.port, _startup_message(probe.text), lambda reply: reply.startswith(b"R"))
        case ProbeKind.REDIS:
            # While it loads its data it answers -LOADING.
            question = f"AUTH {probe.text}\r\nPING\r\n".encode()
            return _ask(probe.port, question, lambda reply: b"+PONG" in reply)


def answers(url: str) -> bool | None:
    """Tell whether something listens where a service's URL points; None if the URL names no host that we could try."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme.partition("+")[0])
    except ValueError:
        return None
    if not host or not port:
        return None
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_SECONDS * 4).close()
    except OSError:
        return False
    return True


def _log_says(log: Path, start: int, text: bytes) -> bool:
    try:
        with log.open("rb") as file:
            file.seek(start)
            return text in file.read()
    except FileNotFoundError:
        return False


def _startup_message(user: str) -> bytes:
    body = struct.pack("!I", _POSTGRES_PROTOCOL) + b"user\0" + user.encode() + b"\0\0"
    return struct.pack("!I", len(body) + 4) + body


def _ask(port: int, question: bytes, is_answer: Callable[[bytes], bool]) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_SECONDS) as connection:
            # A connection from a free port to itself succeeds when both numbers happen to be the same.
            if connection.getsockname() == connection.getpeername():
                return False
            connection.sendall(question)
            return _hears(connection, is_answer)
    except OSError:
        return False


def _hears(connection: socket.socket, is_answer: Callable[[bytes], bool]) -> bool:
    reply = b""
    while len(reply) < 4096 and (more := connection.recv(1024)):
        reply += more
        if is_answer(reply):
            return True
    return False
