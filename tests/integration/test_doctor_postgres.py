"""What mobius doctor sees of a real Postgres: as it should be, empty, at another schema, closed, with stuck slices."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from harness.bench import Bench
from harness.diagnosis import advised, by_name

from models.schema import downgrade, known_revisions
from models.session import LISTEN
from worker.doctor import fleet, postgres
from worker.doctor.connections import judge_connections
from worker.doctor.findings import Finding, Silence, Status
from worker.doctor.probes import postgres as look_postgres
from worker.settings import Settings, load_settings

pytestmark = pytest.mark.usefixtures("durable")


def judged(url: str) -> list[Finding]:
    settings = load_settings({"DATABASE_URL": url})
    return postgres.judge(look_postgres.look(settings), settings.lease_seconds)


def seen_at(url: str) -> postgres.PostgresSeen:
    seen = look_postgres.look(load_settings({"DATABASE_URL": url}))
    assert isinstance(seen, postgres.PostgresSeen)
    return seen


def changed(url: str, **parts: str) -> str:
    return urlsplit(url)._replace(**parts).geturl()


def test_the_local_database_is_as_it_should_be(database_url: str) -> None:
    findings = judged(database_url)
    assert advised(findings) == {}
    assert by_name(findings)["postgres.disk"].status is Status.OK
    assert known_revisions()[-1] in by_name(findings)["postgres.schema"].found


def test_an_empty_database_lacks_schema_and_extension(empty_database_url: str) -> None:
    found = advised(judged(empty_database_url))
    assert found.keys() == {"postgres.pgvector", "postgres.schema"}
    assert all("mobius migrate" in advice for advice in found.values())


def test_a_database_whose_extension_was_dropped_lacks_only_that(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP EXTENSION vector CASCADE")
    assert advised(judged(database_url)).keys() == {"postgres.pgvector"}


def test_an_older_schema_is_seen_and_its_backlog_is_left_alone(database_url: str) -> None:
    downgrade(database_url, known_revisions()[-2])
    assert advised(judged(database_url)).keys() == {"postgres.schema"}
    assert seen_at(database_url).backlog is None


def test_a_newer_schema_is_seen(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "Upgrade mobius-ingest" in advised(judged(database_url))["postgres.schema"]


@pytest.mark.parametrize(
    ("setting", "name"),
    [("synchronous_commit = off", "postgres.durability"), ("default_transaction_read_only = on", "postgres")],
)
def test_a_setting_of_the_database_that_endangers_work_is_seen(setting: str, name: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {urlsplit(database_url).path[1:]} SET {setting}")
    assert advised(judged(database_url)).keys() == {name}


def test_a_wrong_password_is_one_problem_that_does_not_show_it(database_url: str) -> None:
    parts = urlsplit(database_url)
    findings = judged(changed(database_url, netloc=f"{parts.username}:wrong-word@{parts.hostname}:{parts.port}"))
    assert advised(findings).keys() == {"postgres"}
    assert "password authentication failed" in findings[0].found
    assert not any("wrong-word" in finding.found for finding in findings)


def test_a_database_that_is_not_there_is_named(database_url: str) -> None:
    assert '"nowhere" does not exist' in judged(changed(database_url, path="/nowhere"))[0].found


def test_a_closed_port_and_a_bad_address_are_advised(closed_port: int) -> None:
    assert advised(judged(f"postgresql://u:p@127.0.0.1:{closed_port}/x")).keys() == {"postgres"}
    assert "postgresql://USER" in advised(judged("mysql://u:p@h/x"))["postgres"]


@pytest.fixture
def modest_database_url(database_url: str) -> Iterator[str]:
    """A database in which we may read our tables and nothing else."""
    name = urlsplit(database_url).path[1:]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE ROLE modest")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO modest")
        connection.execute(f"ALTER ROLE mobius IN DATABASE {name} SET role TO modest")
        try:
            yield database_url
        finally:
            connection.execute(f"ALTER ROLE mobius IN DATABASE {name} RESET role")
            connection.execute("DROP OWNED BY modest")
            connection.execute("DROP ROLE modest")


def test_a_role_with_few_rights_gets_a_diagnosis_too(modest_database_url: str) -> None:
    findings = judged(modest_database_url)
    assert advised(findings) == {}
    assert by_name(findings)["postgres.disk"].status is Status.SKIPPED


def test_the_limit_of_the_database_counts(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {urlsplit(database_url).path[1:]} CONNECTION LIMIT 10")
    finding = judge_connections(seen_at(database_url).connections, Settings())
    assert finding.status is Status.PROBLEM
    assert "of 10;" in finding.found


def test_connections_of_others_and_listening_dispatchers_are_counted(database_url: str) -> None:
    before = seen_at(database_url).connections
    with psycopg.connect(database_url), psycopg.connect(database_url, autocommit=True) as dispatcher:
        dispatcher.execute(LISTEN)
        seen = seen_at(database_url).connections
    assert (seen.others, seen.ours) == (before.others + 1, before.ours + 1)
    assert (before.dispatchers, seen.dispatchers) == (0, 1)


def backlog_problem(url: str, window: int = 8) -> Finding:
    seen = seen_at(url)
    return fleet.judge_dispatcher(seen.backlog, seen.connections.dispatchers, window)


def test_a_slice_that_nobody_sends_is_evidence_only_after_a_while(bench: Bench, database_url: str) -> None:
    bench.ingest({"a.txt": "one\n"}, {"b.txt": "two\n"})
    assert backlog_problem(database_url).status is Status.WARNING
    bench.rows("UPDATE slices SET updated_at = now() - interval '90 s'")
    assert "2 slices have been ready for up to 90 s" in backlog_problem(database_url).found
    bench.rows("UPDATE slices SET not_before = now() + interval '1 h'")
    assert backlog_problem(database_url).status is Status.WARNING


def test_slices_that_wait_because_they_are_paused_are_no_problem(bench: Bench, database_url: str) -> None:
    run = bench.ingest({"a.txt": "one\n"}, {"b.txt": "two\n"})
    bench.rows("UPDATE slices SET updated_at = now() - interval '90 s'")
    assert backlog_problem(database_url).status is Status.PROBLEM
    bench.control.pause("tenant", run.id)
    assert backlog_problem(database_url).status is Status.WARNING
    bench.control.resume("tenant", run.id)
    bench.control.pause_fleet()
    assert backlog_problem(database_url).status is Status.WARNING


def test_slices_that_wait_for_a_full_window_are_no_problem(bench: Bench, database_url: str) -> None:
    bench.ingest({"a.txt": "one\n"}, {"b.txt": "two\n"})
    bench.ledger.take_ready(1, oldest_first=True)
    bench.rows("UPDATE slices SET updated_at = now() - interval '90 s'")
    assert backlog_problem(database_url, window=2).status is Status.PROBLEM
    assert backlog_problem(database_url, window=1).status is Status.WARNING


def test_a_lease_that_ended_long_ago_says_that_nobody_sweeps(bench: Bench, database_url: str) -> None:
    bench.ingest({"a.txt": "one\n"})
    claim = bench.claim()
    bench.expire(claim)
    assert backlog_problem(database_url).status is Status.WARNING
    bench.rows("UPDATE slices SET lease_until = now() - interval '5 min'")
    assert "nobody brought back 1 slices" in backlog_problem(database_url).found


def test_a_message_that_was_never_taken_says_that_nobody_sweeps(bench: Bench, database_url: str) -> None:
    bench.ingest({"a.txt": "one\n"})
    bench.take()
    bench.rows("UPDATE slices SET dispatched_at = now() - interval '5 min'")
    assert "nobody brought back 1 slices" in backlog_problem(database_url).found


def test_a_database_that_is_not_set_is_not_looked_for() -> None:
    seen = look_postgres.look(load_settings({}))
    assert isinstance(seen, Silence)
    assert "mobius up" in seen.advice
