"""One migrated template for the whole session, and a copy of it for whoever needs a database.

Nobody can connect to the template: Postgres copies no database that somebody is connected to.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from harness.members import wait_until

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

    def wait_for_the_disk(self, wait: bool) -> None:
        """Let the server wait until the disk has what it writes, or not; a process that is killed loses nothing by it.

        Without waiting a copy and its drop cost 45 ms, with it 1 to 3 s when the disk is busy.
        """
        self._run(f"ALTER SYSTEM SET fsync = {'on' if wait else 'off'}")
        self._run("SELECT pg_reload_conf()")
        wait_until(lambda: self._fsync() is wait, "the server has read its configuration again", seconds=20)

    def _fsync(self) -> bool:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            return connection.execute("SHOW fsync").fetchone() == ("on",)

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Lend the URL of a fresh copy of the template."""
        # 45 ms with the drop; copying through the log, which is the default, takes 60 ms.
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
            connection.execute(statement)  # built of names of ours
