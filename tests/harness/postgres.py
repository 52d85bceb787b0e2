"""Stop the session's Postgres as a crash would; the local stack's supervisor starts it again on the same port."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import psycopg
from harness.members import wait_until


def stop_at_once(database_url: str) -> None:
    """Stop the server without letting anybody finish, and return when it answers again."""
    with psycopg.connect(database_url) as connection:
        before = _server_of(connection.info.backend_pid)
        os.kill(before, signal.SIGQUIT)
        wait_until(lambda: not _answers(database_url, before), "the server is gone")
    wait_until(lambda: _answers(database_url), "the server was started again")


def _server_of(backend: int) -> int:
    """Return the process that all backends are children of."""
    (parent,) = re.findall(r"^PPid:\s+(\d+)$", Path(f"/proc/{backend}/status").read_text(), re.MULTILINE)
    return int(parent)


def _answers(database_url: str, server: int | None = None) -> bool:
    """Whether a server, or this very one, takes connections."""
    try:
        with psycopg.connect(database_url, connect_timeout=5) as connection:
            return server is None or _server_of(connection.info.backend_pid) == server
    except psycopg.OperationalError:
        return False
