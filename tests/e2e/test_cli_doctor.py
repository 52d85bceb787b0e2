"""``mobius doctor``: exit code and report, on services that work, on none, and on settings that are not usable."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness.desk import run_mobius

NAMES = {
    "settings", "versions",
    "postgres", "postgres.pgvector", "postgres.schema", "postgres.durability", "postgres.clock", "postgres.disk",
    "postgres.connections",
    "redis", "redis.policy", "redis.persistence", "redis.memory", "redis.clock",
    "qdrant", "qdrant.collection",
    "stack", "workers", "dispatcher", "beat", "flower", "embedder", "disk.home", "disk.temporary",
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("durable")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers, as a host behind a bad firewall does."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(16)
        yield int(held.getsockname()[1])


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment without any service or setting of ours."""
    names = ("DATABASE_URL", "REDIS_URL", "QDRANT_URL", "QDRANT_API_KEY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOBIUS_", "OPENAI_", *names))}
    return kept | {"MOBIUS_HOME": str(tmp_path)}


def report(env: Mapping[str, str], code: int, *args: str) -> dict[str, dict[str, Any]]:
    """Run it with --json and return its checks by name."""
    done = run_mobius(env, "doctor", "--json", *args)
    assert (done.returncode, done.stderr) == (code, ""), done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == {"ok", "checks"}
    assert found["ok"] is (code == 0)
    checks = {check["name"]: check for check in found["checks"]}
    assert all(check.keys() == {"name", "status", "found", "advice"} for check in found["checks"])
    assert len(checks) == len(found["checks"])
    return checks


def with_status(checks: dict[str, dict[str, Any]], *statuses: str) -> set[str]:
    return {name for name, check in checks.items() if check["status"] in statuses}


def test_a_working_fleet_is_well(crew: Any) -> None:
    checks = report(crew.env, 0)
    assert checks.keys() == NAMES
    assert with_status(checks, "skipped") == {"stack", "beat", "flower", "disk.home"}
    assert checks["workers"]["status"] == checks["dispatcher"]["status"] == "ok"


def test_a_fleet_that_is_too_large_for_the_server_is_a_problem(crew: Any) -> None:
    assert with_status(report(crew.env, 1, "--processes", "5000"), "problem") == {"postgres.connections"}


def test_people_get_one_line_for_a_check_and_what_to_do(crew: Any) -> None:
    done = run_mobius(crew.env, "doctor", "--processes", "5000")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (line,) = (number for number, line in enumerate(lines) if line.startswith("problem  postgres.connections "))
    assert lines[line + 1].lstrip().startswith("do: raise the server's max_connections")
    assert sum(line.split()[1] in NAMES for line in lines) == len(NAMES)
    assert lines[-1].split(", ")[2] == "1 problem"


def test_services_that_never_answer_hide_neither_each_other_nor_the_rest(
    bare: dict[str, str], silent_port: int
) -> None:
    address = f"127.0.0.1:{silent_port}"
    checks = report(
        bare
        | {
            "DATABASE_URL": f"postgresql://u:database-word@{address}/x",
            "REDIS_URL": f"redis://:redis-word@{address}",
            "QDRANT_URL": f"http://{address}",
            "QDRANT_API_KEY": "qdrant-word",
            "MOBIUS_FLOWER_URL": f"http://me:flower-word@{address}",
            "MOBIUS_EMBEDDER": "openai",
            "OPENAI_API_KEY": "openai-word",
            "OPENAI_BASE_URL": f"http://{address}/v1",
        },
        1,
    )
    assert checks.keys() == NAMES
    assert with_status(checks, "problem") >= {"postgres", "redis", "qdrant", "flower", "embedder"}
    assert with_status(checks, "ok") >= {"settings", "versions", "disk.temporary"}
    assert all(checks[name]["advice"] for name in with_status(checks, "problem"))
    assert "-word" not in json.dumps(checks)


def test_without_any_service_it_says_how_to_start_them(bare: dict[str, str]) -> None:
    checks = report(bare, 1)
    assert with_status(checks, "problem") == {"postgres", "redis", "qdrant"}
    assert "mobius up" in checks["postgres"]["advice"]


def test_bad_settings_are_findings_and_no_secret_is_shown(bare: dict[str, str]) -> None:
    done = run_mobius(
        bare | {"MOBIUS_FOO": "1", "MOBIUS_POOL_SIZE": "0", "QDRANT_API_KEY": "qdrant-word"}, "doctor", "--json"
    )
    assert done.returncode == 1
    checks = json.loads(done.stdout)["checks"]
    assert [(check["name"], check["status"]) for check in checks] == [
        ("settings", "problem"),
        ("settings", "problem"),
        ("services", "skipped"),
    ]
    assert "qdrant-word" not in done.stdout


def test_a_home_that_cannot_be_one_is_a_finding(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_mobius(bare | {"MOBIUS_HOME": str(tmp_path / "file" / "home")}, "doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "choose another directory with MOBIUS_HOME" in done.stdout


def test_a_misuse_is_explained_with_exit_code_2(bare: dict[str, str]) -> None:
    done = run_mobius(bare, "doctor", "--processes", "0")
    assert (done.returncode, done.stdout) == (2, "")


def test_the_password_of_a_database_is_hidden_where_it_is_shown(crew: Any) -> None:
    password = urlsplit(crew.env["DATABASE_URL"]).password
    assert password
    assert password not in run_mobius(crew.env, "doctor").stdout
