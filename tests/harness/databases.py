"""One migrated template for the whole session, and a copy of it for whoever needs a database.

Nobody can connect to the template: Postgres copies no database that somebody is connected to.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from models.schema import upgrade

TEMPLATE = "mobius_template"


class Databases:
    """Makes databases on one server; the server's own are left alone."""

    def __init__(self, server_url: str) -> None:
        self._server = urlsplit(server_url)
        self._numbers = itertools.count(1)

    def make_template(self) -> None:
        """Migrate a database once and close it, so that it can only be copied."""
        self._run(f"CREATE DATABASE {TEMPLATE}")
        upgrade(self._url(TEMPLATE))
        self._run(f"ALTER DATABASE {TEMPLATE} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false")

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Lend the URL of a fresh copy of the template."""
        # Copying files costs 45 ms with the drop, copying through the log (the default) 60 ms.
        with self._made(f"TEMPLATE {TEMPLATE} STRATEGY FILE_COPY") as url:
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Lend the URL of a database that nothing was ever done to."""
        with self._made("") as url:
            yield url

    @contextmanager
    def _made(self, options: str) -> Iterator[str]:
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} {options}")
        try:
            yield self._url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return self._server._replace(path=f"/{name}").geturl()

    def _run(self, statement: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]  # built of names of ours


def wait_for_the_disk(server_url: str, *, wait: bool) -> None:
    """Have a server wait for the disk at every commit, or not; return when new connections find it so."""
    word = "on" if wait else "off"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET fsync = {word}")
        connection.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 15
    while _fsync(server_url) != word:
        assert time.monotonic() < deadline, "Postgres does not take up its configuration"
        time.sleep(0.01)


def _fsync(server_url: str) -> str:
    with psycopg.connect(server_url) as connection:
        row = connection.execute("SHOW fsync").fetchone()
    return str(row[0]) if row else ""
