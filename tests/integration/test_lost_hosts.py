"""Either side of a connection learns soon that the other's host is gone, and what hangs on it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg
import pytest
from harness.bench import SUMMARY, Bench
from sqlalchemy import Connection, text

from models import schema
from models.async_session import AsyncReader
from models.diagnosis import looking
from models.session import driver_of, listening, open_engine
from pipeline.types import Priority

#: Of the server's side, by the name of the setting (s, s, times, ms).
PROBES = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
#: Of ours, as the driver reports them.
OURS = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}


def probes(connection: Connection) -> tuple[dict[str, str], dict[str, str]]:
    shown = {name: str(connection.execute(text(f"SHOW {name}")).scalar()) for name in PROBES}
    return shown, driver_of(connection).info.get_parameters()


def of_the_engine(url: str) -> tuple[dict[str, str], dict[str, str]]:
    engine = open_engine(url, pool_size=1)
    with engine.connect() as connection:
        found = probes(connection)
    engine.dispose()
    return found


def of_the_asynchronous_one(url: str) -> tuple[dict[str, str], dict[str, str]]:
    async def ask() -> tuple[dict[str, str], dict[str, str]]:
        reader = AsyncReader(url, pool_size=1)
        try:
            return await reader.read(probes)
        finally:
            await reader.close()

    return asyncio.run(ask())


def of_a_migration(url: str) -> tuple[dict[str, str], dict[str, str]]:
    engine = schema._engine(url)
    with engine.connect() as connection:
        found = probes(connection)
    engine.dispose()
    return found


def of_the_doctor(url: str) -> tuple[dict[str, str], dict[str, str]]:
    with looking(url) as connection:
        return probes(connection)


KINDS = {"engine": of_the_engine, "async": of_the_asynchronous_one, "schema": of_a_migration, "doctor": of_the_doctor}


@pytest.mark.parametrize("kind", KINDS)
def test_both_sides_of_every_connection_ask_whether_the_other_is_there(kind: str, database_url: str) -> None:
    shown, parameters = KINDS[kind](database_url)
    assert shown == PROBES
    assert {name: parameters.get(name) for name in OURS} == OURS


def test_so_do_those_of_a_connection_that_listens(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[psycopg.Connection] = []
    connect: Callable[..., psycopg.Connection] = psycopg.connect

    def remember(*args: object, **options: object) -> psycopg.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(psycopg, "connect", remember)
    with listening(database_url):
        (connection,) = opened
        assert {name: connection.execute(f"SHOW {name}").fetchone()[0] for name in PROBES} == PROBES
        parameters = connection.info.get_parameters()
    assert {name: parameters.get(name) for name in OURS} == OURS


def test_a_plan_that_is_complete_has_succeeded_whatever_becomes_of_its_lock(bench: Bench) -> None:
    """The lock dies with its connection, so nothing is left to do."""
    with bench.intake.planning(bench.source, patience=0.0, priority=Priority.NORMAL, on_wait=lambda: None) as run:
        bench.accept(run, {"a.txt": "text"})
        bench.intake.close(run, SUMMARY)
        bench.rows("SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
    assert bench.runs()[0].plan_state == "planned"
    bench.ingest({"b.txt": "text"})
    bench.finish()
    assert bench.outcomes() == ["indexed", "indexed"]
