"""A command imports what it works with, and not before its arguments are read: that takes most of a command's time."""

from __future__ import annotations

from pathlib import Path

from harness.imports import imported_by, imported_by_commands

from worker.cli.main import app

#: What takes longest to import, and what brings it along.
STORES = {"sqlalchemy", "psycopg", "pgvector"}
SENDING = {"celery", "kombu", "billiard", "redis", "flower"}
SEARCHING = {"qdrant_client", "numpy", "openai", "httpx", "grpc"}
OTHERS = {"fastapi", "starlette", "uvicorn", "alembic", "structlog", "tenacity", "tree_sitter", "asyncio"}
EVERYTHING_HEAVY = STORES | SENDING | SEARCHING | OTHERS


def test_help_the_version_and_a_misuse_need_no_service_and_no_settings() -> None:
    commands = [["--version"], ["--help"], ["nonsense"], *([name, "--help"] for name in ("search", "status", "ingest"))]
    packages, ends = imported_by_commands(*commands, *([name, "--nonsense"] for name in ("search", "status", "ingest")))
    assert ends == ["ended with 0"] * 2 + ["ended with 2"] + ["ended with 0"] * 3 + ["ended with 2"] * 3
    assert packages & (EVERYTHING_HEAVY | {"pydantic"}) == set()


def test_every_command_explains_itself_without_what_it_works_with() -> None:
    named = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    groups = [group.name or "" for group in app.registered_groups]
    commands = [[name.replace("_", "-"), "--help"] for name in (*named, *groups)]
    assert len(commands) >= 16
    packages, ends = imported_by_commands(*commands)
    assert ends == ["ended with 0"] * len(commands)
    assert packages & EVERYTHING_HEAVY == set()


def test_what_is_asked_of_the_local_stack_needs_no_client_of_a_store(tmp_path: Path) -> None:
    packages, ends = imported_by_commands(["status"], ["config"], ["down"], env={"MOBIUS_HOME": str(tmp_path)})
    assert ends == ["ended with 1", "ended with 0", "ended with 0"]
    assert packages & EVERYTHING_HEAVY == set()


def test_a_refused_argument_needs_no_service() -> None:
    refused = [["search", " "], ["ingest"], ["runs", "--watch"], ["dead-letters", "show"]]
    packages, ends = imported_by_commands(*refused)
    assert ends == ["ended with 2"] * len(refused)
    assert packages & EVERYTHING_HEAVY == set()


def test_no_garbage_is_looked_for_while_a_command_starts_and_ends() -> None:
    program = (
        "import gc, sys; from worker.cli.main import main; sys.argv = ['mobius', 'config', '--json']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert gc.get_freeze_count() > 10_000, gc.get_freeze_count()\n"
        "assert gc.get_threshold()[0] > 10_000, gc.get_threshold()\n"
    )
    assert "pydantic" in imported_by(program + "pass")
