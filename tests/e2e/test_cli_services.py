"""What is missing or wrong outside of the files is said in one message that tells what to do, with exit code 2."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from harness.desk import Desk, run_mobius

from models import schema
from worker.adapters.known_models import openai_model
from worker.adapters.qdrant_layout import alias_of


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, held so that nobody takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.fixture
def bare() -> dict[str, str]:
    """An environment without any service or setting of ours."""
    names = ("DATABASE_URL", "REDIS_URL", "QDRANT_URL", "QDRANT_API_KEY")
    return {name: value for name, value in os.environ.items() if not name.startswith(("MOBIUS_", "OPENAI_", *names))}


def refusal(env: dict[str, str], *args: str | Path, code: int = 2) -> str:
    """Run a command that must be refused before it prints any result; return the message."""
    done = run_mobius(env, *args)
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    return done.stderr


# --- nothing is there


@pytest.mark.parametrize(
    "args", [("ingest", "."), ("search", "x"), ("runs",), ("why", "x"), ("migrate",)], ids=lambda a: a[0]
)
def test_without_any_service_it_says_how_to_start_them(
    args: tuple[str, ...], bare: dict[str, str], tmp_path: Path
) -> None:
    message = refusal({**bare, "MOBIUS_HOME": str(tmp_path)}, *args)
    assert "start one with `mobius up`, or set DATABASE_URL, REDIS_URL and QDRANT_URL" in message


def test_a_missing_path_is_named_whether_services_run_or_not(bare: dict[str, str], tmp_path: Path) -> None:
    message = refusal({**bare, "MOBIUS_HOME": str(tmp_path)}, "ingest", "no/such\npath")
    assert "'no/such\\npath' cannot be ingested: it does not exist; check its spelling." in message


def test_a_database_that_refuses_connections_is_named(crew: Any, closed_port: int, tmp_path: Path) -> None:
    env = crew.env | {"DATABASE_URL": f"postgresql://u:secret@127.0.0.1:{closed_port}/x"}
    message = refusal(env, "ingest", tmp_path)
    assert "Postgres does not answer" in message
    assert "check that it runs and that DATABASE_URL is right" in message
    assert "secret" not in message


def test_a_qdrant_that_refuses_connections_is_named_before_anything_is_accepted(desk: Desk, closed_port: int) -> None:
    address = f"http://127.0.0.1:{closed_port}"
    message = desk.refused("ingest", desk.tree, extra={"QDRANT_URL": address})
    assert f"Qdrant does not answer at {address}" in message
    assert "QDRANT_URL" in message
    assert "there is no project" in desk.refused("search", "anything")


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "http://", "http://[::1", "http://127.0.0.1:port"])
def test_an_address_that_is_none_is_named(address: str, desk: Desk) -> None:
    assert "QDRANT_URL is not the address of a Qdrant server" in desk.refused(
        "ingest", desk.tree, extra={"QDRANT_URL": address}
    )


def test_another_kind_of_server_behind_qdrants_address_is_named(desk: Desk) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, args=(0.05,), daemon=True).start()
        message = desk.refused("ingest", desk.tree, extra={"QDRANT_URL": f"http://127.0.0.1:{other.server_port}"})
        other.shutdown()
    assert "QDRANT_URL is not the address of a Qdrant server" in message


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:secret@h/db", "postgresql://u:secret@h:port/db"])
def test_a_database_url_that_is_none_is_named_without_its_password(url: str, desk: Desk) -> None:
    message = desk.refused("ingest", desk.tree, extra={"DATABASE_URL": url})
    assert "DATABASE_URL is not usable" in message
    assert "secret" not in message


def test_all_bad_settings_are_named_at_once(desk: Desk) -> None:
    message = desk.refused("ingest", desk.tree, extra={"MOBIUS_SLICE_BYTES": "none", "MOBIUS_FOO": "1"})
    assert "MOBIUS_SLICE_BYTES" in message
    assert "MOBIUS_FOO: unknown variable" in message


# --- schemas


def test_an_empty_database_asks_for_the_migration_which_mends_it(
    crew: Any, empty_database_url: str, tmp_path: Path
) -> None:
    env = crew.env | {"DATABASE_URL": empty_database_url}
    assert "schema none" in (message := refusal(env, "runs"))
    assert "run `mobius migrate`" in message
    done = run_mobius(env, "migrate")
    assert (done.returncode, done.stderr) == (
        0,
        f"the database was at schema none and is at {schema.known_revisions()[-1]}\n",
    )
    assert run_mobius(env, "runs", "--json").stdout == "[]\n"


def test_a_database_at_an_older_schema_is_left_alone(crew: Any, database_url: str, tmp_path: Path) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    message = refusal(crew.env | {"DATABASE_URL": database_url}, "ingest", tmp_path)
    assert "schema 0001" in message
    assert "run `mobius migrate`" in message
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM projects").fetchone() == (0,)


# --- the index


def test_a_wrong_key_for_qdrant_is_named_before_anything_is_accepted(desk: Desk) -> None:
    message = desk.refused("ingest", desk.tree, extra={"QDRANT_API_KEY": "wrong"})
    assert "Qdrant refuses the key; set the right QDRANT_API_KEY" in message
    assert "there is no project" in desk.refused("search", "anything")


def test_a_collection_of_other_dimensions_is_named_before_anything_is_accepted(desk: Desk) -> None:
    alias = alias_of(openai_model(desk.project, 32, 256))
    headers = {"api-key": desk.env["QDRANT_API_KEY"]}
    with httpx.Client(base_url=desk.env["QDRANT_URL"], headers=headers) as client:
        vectors = {"dense": {"size": 8, "distance": "Cosine"}}
        client.put(f"/collections/{desk.project}", json={"vectors": vectors}).raise_for_status()
        create = {"create_alias": {"collection_name": desk.project, "alias_name": alias}}
        client.post("/collections/aliases", json={"actions": [create]}).raise_for_status()
    message = desk.refused("ingest", desk.tree, extra={"MOBIUS_OPENAI_MODEL": desk.project})
    assert "holds 8 dimensions (Cosine)" in message
    assert "needs 32 (Cosine); drop that alias" in message
    assert "there is no project" in desk.refused("search", "anything")
