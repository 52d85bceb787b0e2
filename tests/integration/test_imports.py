"""What a command has imported when it has done its work: the clients that it works with, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness.imports import imported_by_commands

#: What sends a message, and it is the dispatcher that does.
SENDING = {"celery", "kombu", "billiard", "flower"}
#: What only searches, reconciliations and workers need.
INDEX = {"qdrant_client", "openai", "numpy", "httpx", "grpc"}
REST = {"redis", "fastapi", "starlette", "uvicorn", "alembic", "structlog", "tenacity"}


@pytest.fixture
def env(services: dict[str, str], database_url: str, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.py").write_text("one = 1\n")
    return {**services, "DATABASE_URL": database_url, "MOBIUS_HOME": str(tmp_path / "home")}


def test_what_reads_the_ledger_imports_no_client_but_that_of_postgres(env: dict[str, str], tmp_path: Path) -> None:
    ingest = ["ingest", str(tmp_path / "tree"), "--no-wait"]
    packages, ends = imported_by_commands(ingest, env=env)
    assert ends == ["ended with 0"]
    assert packages & (SENDING | INDEX | REST) == set()

    reading = [["runs"], ["why", "a.py"], ["dead-letters", "list"], ["keys", "list"], ["pause"], ["resume"]]
    packages, ends = imported_by_commands(*reading, env=env)
    assert ends == ["ended with 0"] * len(reading)
    assert {"sqlalchemy", "psycopg"} <= packages
    assert packages & (SENDING | INDEX | REST | {"tree_sitter"}) == set()


def test_what_asks_the_index_imports_its_client_and_nothing_that_sends_messages(
    env: dict[str, str], tmp_path: Path
) -> None:
    ingest = ["ingest", str(tmp_path / "tree"), "--no-wait"]
    # Other tests have points in the same collection; this project has none yet, and nothing differs.
    packages, ends = imported_by_commands(ingest, ["reconcile", "--project", "default"], ["search", "one"], env=env)
    assert ends == ["ended with 0"] * 3
    assert "qdrant_client" in packages
    assert packages & (SENDING | {"openai", "fastapi", "alembic"}) == set()
