"""What the server modules and the fleet say is to be run."""

import os
from pathlib import Path

import pytest

from worker.local import fleet, postgres, qdrant, redis
from worker.local.errors import StackError
from worker.local.fleet import FleetOptions
from worker.local.specs import RunAs, check_table
from worker.local.state import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home.at(tmp_path / "home")
    place.prepare()
    return place


def test_no_password_stands_in_an_argument(home: Home) -> None:
    redis.prepare(home, 2)
    table = (
        *postgres.specs(home, 1, RunAs(65534, 65534, (2,))),
        redis.spec(home, 2),
        qdrant.spec(home, {"qdrant": 3}, None),
        fleet.migration(["postgres"]),
        *fleet.specs(home, FleetOptions(3, 4), 5, 6, ("postgres", "redis", "qdrant")),
    )
    check_table(table, [])
    arguments = " ".join(" ".join(spec.argv) for spec in table)
    for name in ("postgres", "redis", "qdrant", "flower"):
        assert home.secret(name) not in arguments


def test_files_that_hold_passwords_are_for_the_owner_alone(home: Home) -> None:
    redis.prepare(home, 2)
    qdrant.spec(home, {"qdrant": 3}, None)
    for file in ("redis/redis.conf", "qdrant/api-key", "secrets.json"):
        assert (home.path / file).stat().st_mode & 0o777 == 0o600


def test_a_path_with_blanks_quotes_and_line_ends_stays_one_value_in_redis_conf() -> None:
    assert redis.quoted(b"/plain path") == '"/plain path"'
    assert redis.quoted('/a"b\\c\nd/ü'.encode()) == '"/a\\x22b\\x5cc\\x0ad/\\xc3\\xbc"'


def test_a_real_qdrant_is_used_where_there_is_one(home: Home, tmp_path: Path) -> None:
    binary = tmp_path / "bin" / "qdrant"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    assert qdrant.find_binary({"PATH": str(binary.parent)}) == str(binary)
    assert qdrant.find_binary({"PATH": "/nonexistent", "QDRANT_BIN": str(binary)}) == str(binary)
    assert qdrant.find_binary({"PATH": "/nonexistent"}) is None
    spec = qdrant.spec(home, {"qdrant": 3, "qdrant-grpc": 4}, str(binary))
    assert spec.argv == (str(binary),)
    assert spec.env["QDRANT__SERVICE__HOST"] == "127.0.0.1"
    assert (spec.env["QDRANT__SERVICE__HTTP_PORT"], spec.env["QDRANT__SERVICE__GRPC_PORT"]) == ("3", "4")


def test_a_qdrant_that_cannot_be_run_is_refused() -> None:
    with pytest.raises(StackError, match="QDRANT_BIN=/nonexistent/qdrant"):
        qdrant.find_binary({"QDRANT_BIN": "/nonexistent/qdrant"})


def test_the_fleet_has_the_concurrency_it_was_told(home: Home) -> None:
    table = {spec.name: spec for spec in fleet.specs(home, FleetOptions(3, 4), 5555, 8000, ("redis",))}
    assert list(table) == ["dispatcher", "worker-cpu", "worker-io", "worker-control", "beat", "flower", "api"]
    assert table["worker-cpu"].argv[-5:] == ("cpu@%h", "-Q", "parse,chunk", "--concurrency", "3")
    assert table["worker-io"].argv[-1] == "4"
    assert table["worker-control"].argv[-1] == "1"
    assert all(spec.depends_on == ("migrate", "redis") for spec in table.values())


def test_a_cluster_of_another_version_is_refused(home: Home) -> None:
    data = postgres.data_directory(home)
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(StackError, match=r"PostgreSQL 16.*pg_upgrade"):
        postgres.prepare(home)


def test_a_pid_file_whose_number_is_somebody_elses_is_removed(tmp_path: Path) -> None:
    for content in (f"{os.getppid()}\n{tmp_path}\n", "", "no number\n", "-1\n"):
        (tmp_path / "postmaster.pid").write_text(content)
        postgres.end_leftover(tmp_path)
        assert not (tmp_path / "postmaster.pid").exists()
