"""What a database says about itself means that it can be the truth, or what must be done first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.diagnosis import Connections, Server
from models.schema import known_revisions
from worker.doctor.clock import Skew
from worker.doctor.disk import GIB, DiskSpace
from worker.doctor.findings import Silence, Status
from worker.doctor.postgres import PostgresSeen, judge, judge_durability, judge_pgvector, judge_schema, judge_server

SERVER = Server(
    version=160004,
    version_name="16.4",
    is_replica=False,
    is_read_only=False,
    encoding="UTF8",
    fsync="on",
    full_page_writes="on",
    synchronous_commit="on",
    pgvector="0.8.5",
    has_pgvector_files=True,
    database_bytes=3 * GIB,
    data_directory=None,
)
CONNECTIONS = Connections(97, -1, -1, 0, 0, 1)
DISK = DiskSpace("/data", 500 * GIB, 1000 * GIB, 10**6, 10**7, is_writable=True)
SEEN = PostgresSeen("postgresql://h/db", SERVER, CONNECTIONS, known_revisions()[-1], None, Skew(0, 0), DISK)


def test_a_good_database_has_nothing_to_do() -> None:
    findings = judge(SEEN, lease_seconds=20)
    assert {(finding.status, finding.advice) for finding in findings} == {(Status.OK, "")}
    assert len({finding.name for finding in findings}) == len(findings) == 6


def test_one_that_does_not_answer_is_one_problem_and_the_rest_is_skipped() -> None:
    first, *rest = judge(Silence("Postgres does not answer", "start it"), lease_seconds=20)
    assert (first.name, first.status, first.advice) == ("postgres", Status.PROBLEM, "start it")
    assert [finding.name for finding in rest] == [finding.name for finding in judge(SEEN, 20)][1:]
    assert {(finding.status, finding.found) for finding in rest} == {(Status.SKIPPED, "see postgres")}


@pytest.mark.parametrize(
    ("server", "advice"),
    [
        (replace(SERVER, version=130015), "use PostgreSQL 14 or newer"),
        (replace(SERVER, is_replica=True, is_read_only=True), "primary"),
        (replace(SERVER, is_read_only=True), "default_transaction_read_only"),
        (replace(SERVER, encoding="SQL_ASCII"), "ENCODING 'UTF8'"),
    ],
    ids=["old", "replica", "read only", "encoding"],
)
def test_a_server_that_cannot_be_used_says_what_to_do(server: Server, advice: str) -> None:
    finding = judge_server(server, "postgresql://h/db")
    assert finding.status is Status.PROBLEM
    assert advice in finding.advice


def test_the_oldest_supported_version_will_do() -> None:
    assert judge_server(replace(SERVER, version=140000), "").status is Status.OK


@pytest.mark.parametrize(
    ("installed", "has_files", "status", "advice"),
    [
        ("0.8.5", True, Status.OK, ""),
        ("0.5.0", True, Status.OK, ""),
        ("0.4.4", True, Status.PROBLEM, "ALTER EXTENSION vector UPDATE"),
        (None, True, Status.PROBLEM, "run `mobius migrate`, or"),
        (None, False, Status.PROBLEM, "install it on the server"),
    ],
)
def test_pgvector_is_there_in_a_known_version(
    installed: str | None, has_files: bool, status: Status, advice: str
) -> None:
    finding = judge_pgvector(replace(SERVER, pgvector=installed, has_pgvector_files=has_files))
    assert finding.status is status
    assert advice in finding.advice


@pytest.mark.parametrize(
    ("revision", "advice"),
    [(None, "run `mobius migrate`"), ("0001", "run `mobius migrate`"), ("other", "Upgrade mobius-ingest")],
)
def test_an_older_or_a_foreign_schema_is_a_problem(revision: str | None, advice: str) -> None:
    finding = judge_schema(revision)
    assert finding.status is Status.PROBLEM
    assert f"schema {revision or 'none'}" in finding.found
    assert advice in finding.advice


def test_a_newer_schema_works_but_asks_for_an_upgrade() -> None:
    finding = judge_schema("9999")
    assert finding.status is Status.WARNING
    assert "Upgrade mobius-ingest" in finding.advice


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_what_may_lose_a_commit_is_a_problem(setting: str) -> None:
    finding = judge_durability(replace(SERVER, **{setting: "off"}))
    assert finding.status is Status.PROBLEM
    assert f"switch {setting} on" in finding.advice


@pytest.mark.parametrize("value", ["local", "remote_write", "remote_apply"])
def test_other_ways_to_wait_for_a_commit_are_fine(value: str) -> None:
    assert judge_durability(replace(SERVER, synchronous_commit=value)).status is Status.OK


def test_the_disk_of_a_server_elsewhere_is_left_to_the_operator() -> None:
    finding = judge(replace(SEEN, disk=None), 20)[-1]
    assert (finding.name, finding.status) == ("postgres.disk", Status.SKIPPED)
    assert "3.0 GiB" in finding.found
    assert "watch its free space" in finding.advice


def test_a_full_disk_under_the_truth_is_a_problem() -> None:
    assert judge(replace(SEEN, disk=replace(DISK, free=GIB - 1)), 20)[-1].status is Status.PROBLEM
