"""Private services for one benchmark: a local stack in a directory of its own, and counts of what it was asked.

PostgreSQL logs every statement at its end of the wire, so the count is the server's and misses nobody: producer,
dispatcher, workers, heartbeats. Statements are logged by the name of their database; their values are not. Redis
counts its own commands: a task message is one LPUSH.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis

from worker import local
from worker.local.ports import LOOPBACK

#: Statements are counted from the last one of this text on.
START = "SELECT 'from here'"

_VARIABLES = ("DATABASE_URL", "REDIS_URL", "QDRANT_URL", "QDRANT_API_KEY", "MOBIUS_HOME")
_SERVERS = ("postgres", "redis", "qdrant")
_STATEMENT = re.compile(r"^(\S+) LOG:  (?:statement|execute [^:]+): (.*)")
_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Statements:
    """SQL statements that a database was sent. ``control``: begin, commit, rollback, not among the ``work``.

    ``kinds`` counts the statements that do work by their first words. Both are None where the log was cut meanwhile.
    """

    work: int | None
    control: int | None
    kinds: dict[str, int]


@dataclass(frozen=True)
class Services:
    """A running stack without workers. ``environment`` leads to it; ``pids`` are its servers by name."""

    home: Path
    environment: dict[str, str]
    pids: dict[str, int]

    def create_database(self) -> str:
        """Return the URL of a new, migrated database."""
        admin = urlsplit(self.environment["DATABASE_URL"])
        name = f"bench_{next(_numbers)}"
        server = admin._replace(path="/postgres").geturl()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {admin.path.strip('/')}".encode())
            connection.execute(f"ALTER DATABASE {name} SET log_statement = 'all'".encode())
            connection.execute(f"ALTER DATABASE {name} SET log_parameter_max_length = 0".encode())
        return admin._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        parts = urlsplit(url)
        with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {parts.path.strip('/')} WITH (FORCE)".encode())

    @contextmanager
    def counted(self, database_url: str) -> Iterator[dict[str, Any]]:
        """Count what happens within the block: ``messages`` and ``statements`` are in the result afterwards."""
        name = urlsplit(database_url).path.strip("/")
        log = self.home / "logs" / "postgres.log"
        older = log.with_name(f"{log.name}.1")
        older.unlink(missing_ok=True)
        os.truncate(log, 0)
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(START)
        broker = redis.Redis.from_url(self.environment["REDIS_URL"])
        before = _pushes(broker)
        result: dict[str, Any] = {}
        yield result
        result["messages"] = _pushes(broker) - before
        broker.close()
        logged = [path.read_text("utf-8", "replace") for path in (older, log) if path.exists()]
        result["statements"] = count_statements("".join(logged).split("\n"), name)


@contextmanager
def open_services(place: Path) -> Iterator[Services]:
    """Start PostgreSQL, Redis and the Qdrant engine below ``place``; end them and leave nothing running.

    Raises:
        StackError: One of them cannot start.
    """
    home = place / "home"
    environ = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    try:
        status = local.up(home, environ, report=lambda _: None, services_only=True)
        environment = local.service_environment(home)
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_line_prefix = '%d '")
            connection.execute("SELECT pg_reload_conf()")
        pids = {child.name: child.pid for child in status.children if child.name in _SERVERS and child.pid}
        yield Services(home, environment | {"NO_PROXY": LOOPBACK, "no_proxy": LOOPBACK}, pids)
    finally:
        local.down(home, report=lambda _: None)


def _pushes(broker: redis.Redis) -> int:
    statistics: dict[str, Any] = broker.info("commandstats")
    return int(statistics.get("cmdstat_lpush", {"calls": 0})["calls"])


def count_statements(lines: list[str], database: str) -> Statements:
    """Count the statements that a database was sent since the last `START`, from lines of the server's log."""
    sent = [found[2] for line in lines if (found := _STATEMENT.match(line)) and found[1] == database]
    marks = [position for position, statement in enumerate(sent) if statement == START]
    if not marks:
        return Statements(None, None, {})
    sent = sent[marks[-1] + 1 :]
    control = [statement for statement in sent if statement.startswith(_CONTROL)]
    kinds = Counter(_kind(statement) for statement in sent if not statement.startswith(_CONTROL))
    return Statements(len(sent) - len(control), len(control), dict(kinds.most_common()))


def _kind(statement: str) -> str:
    """Return a statement's first words, enough to find it in the code."""
    return " ".join(statement.split())[:70] if statement != ";" else "; (a connection of the pool is tried)"
