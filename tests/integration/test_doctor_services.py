"""What mobius doctor sees of real services: as they should be, set wrongly, closed, or behind the wrong password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import redis as redis_client
from harness.bench import Bench
from harness.servers import RedisServer

from models.schema import downgrade, known_revisions
from worker.adapters.qdrant_layout import alias_of
from worker.doctor import fleet, postgres, qdrant, redis
from worker.doctor.connections import judge_connections
from worker.doctor.findings import Finding, Silence, Status
from worker.doctor.probes import postgres as look_postgres
from worker.doctor.probes import qdrant as look_qdrant
from worker.doctor.probes import redis as look_redis
from worker.embedding import embedding_model
from worker.settings import Settings, load_settings

FINE = (Status.OK, Status.SKIPPED)


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def problems(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.advice for finding in findings if finding.status not in FINE}


# --- Postgres


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
    assert problems(findings) == {}
    assert by_name(findings)["postgres.disk"].status is Status.OK
    assert known_revisions()[-1] in by_name(findings)["postgres.schema"].found


def test_an_empty_database_lacks_schema_and_extension(empty_database_url: str) -> None:
    found = problems(judged(empty_database_url))
    assert found.keys() == {"postgres.pgvector", "postgres.schema"}
    assert all("mobius migrate" in advice for advice in found.values())


def test_a_database_whose_extension_was_dropped_lacks_only_that(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP EXTENSION vector CASCADE")
    assert problems(judged(database_url)).keys() == {"postgres.pgvector"}


def test_an_older_schema_is_seen_and_its_backlog_is_left_alone(database_url: str) -> None:
    downgrade(database_url, known_revisions()[-2])
    assert problems(judged(database_url)).keys() == {"postgres.schema"}
    assert seen_at(database_url).backlog is None


def test_a_newer_schema_is_seen(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "Upgrade mobius-ingest" in problems(judged(database_url))["postgres.schema"]


@pytest.mark.parametrize(
    ("setting", "name"),
    [("synchronous_commit = off", "postgres.durability"), ("default_transaction_read_only = on", "postgres")],
)
def test_a_setting_of_the_database_that_endangers_work_is_seen(setting: str, name: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {urlsplit(database_url).path[1:]} SET {setting}")
    assert problems(judged(database_url)).keys() == {name}


def test_a_wrong_password_is_one_problem_that_does_not_show_it(database_url: str) -> None:
    parts = urlsplit(database_url)
    findings = judged(changed(database_url, netloc=f"{parts.username}:wrong-word@{parts.hostname}:{parts.port}"))
    assert problems(findings).keys() == {"postgres"}
    assert "password authentication failed" in findings[0].found
    assert not any("wrong-word" in finding.found for finding in findings)


def test_a_database_that_is_not_there_is_named(database_url: str) -> None:
    assert '"nowhere" does not exist' in judged(changed(database_url, path="/nowhere"))[0].found


def test_a_closed_port_and_a_bad_address_are_problems(closed_port: int) -> None:
    assert problems(judged(f"postgresql://u:p@127.0.0.1:{closed_port}/x")).keys() == {"postgres"}
    assert "postgresql://USER" in problems(judged("mysql://u:p@h/x"))["postgres"]


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
    assert problems(findings) == {}
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
        dispatcher.execute("LISTEN mobius_slices")
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


# --- Redis


@contextmanager
def serving(directory: Path, **options: str) -> Iterator[RedisServer]:
    server = RedisServer(directory, **options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def redis_findings(url: str) -> list[Finding]:
    settings = load_settings({"REDIS_URL": url})
    return redis.judge(look_redis.look(settings), settings.lease_seconds)


def test_a_redis_of_the_local_stack_is_as_it_should_be(services: dict[str, str]) -> None:
    findings = redis_findings(services["REDIS_URL"])
    assert [(finding.status, finding.advice) for finding in findings] == [(Status.OK, "")] * 5
    assert "everysec" in by_name(findings)["redis.persistence"].found


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, {"redis.policy"}),
        ({"appendonly": "no"}, {"redis.persistence"}),
        ({"appendfsync": "no"}, {"redis.persistence"}),
        ({"maxmemory": "1mb"}, {"redis.memory"}),
        ({"cluster_enabled": "yes"}, {"redis"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_redis_that_is_set_wrongly_is_a_finding(options: dict[str, str], names: set[str], tmp_path: Path) -> None:
    with serving(tmp_path, **options) as server:
        assert problems(redis_findings(server.url)).keys() == names


def test_a_managed_redis_that_forbids_config_is_judged_by_info(redis_server: RedisServer) -> None:
    redis_server.client.execute_command("ACL SETUSER guest on >guest-word ~* &* +@all -config")
    findings = redis_findings(f"redis://guest:guest-word@127.0.0.1:{redis_server.port}")
    assert problems(findings) == {}
    assert "CONFIG refused" in by_name(findings)["redis.persistence"].found


def test_a_redis_that_tells_nothing_is_no_ok(redis_server: RedisServer) -> None:
    redis_server.client.execute_command("ACL SETUSER guest on >guest-word ~* &* +@all -config -info")
    findings = redis_findings(f"redis://guest:guest-word@127.0.0.1:{redis_server.port}")
    assert problems(findings).keys() == {"redis", "redis.policy", "redis.persistence", "redis.memory"}
    assert {finding.status for finding in findings[:-1]} == {Status.WARNING}


def test_a_wrong_password_for_redis_is_one_problem(services: dict[str, str]) -> None:
    port = urlsplit(services["REDIS_URL"]).port
    findings = redis_findings(f"redis://:wrong-word@127.0.0.1:{port}")
    assert problems(findings).keys() == {"redis"}
    assert "refuses the password" in findings[0].found
    assert "wrong-word" not in findings[0].found


def test_a_closed_port_and_a_bad_address_of_redis_are_problems(closed_port: int) -> None:
    assert problems(redis_findings(f"redis://127.0.0.1:{closed_port}")).keys() == {"redis"}
    assert "redis://:PASSWORD@HOST" in problems(redis_findings("http://h"))["redis"]


def test_looking_leaves_nothing_behind(redis_server: RedisServer) -> None:
    redis_findings(redis_server.url)
    client: redis_client.Redis = redis_server.client
    assert client.dbsize() == 0


# --- Qdrant


@pytest.fixture
def qdrant_environ(services: dict[str, str], database_url: str) -> dict[str, str]:
    """The local index, and a model that no other test has."""
    return {
        "QDRANT_URL": services["QDRANT_URL"],
        "QDRANT_API_KEY": services["QDRANT_API_KEY"],
        "MOBIUS_EMBEDDER": "openai",
        "OPENAI_API_KEY": "key",
        "MOBIUS_OPENAI_MODEL": f"doctor-{urlsplit(database_url).path[1:]}",
        "MOBIUS_OPENAI_DIMS": "8",
    }


def qdrant_findings(environ: dict[str, str]) -> list[Finding]:
    return qdrant.judge(look_qdrant.look(load_settings(environ)))


def make_collection(environ: dict[str, str], dims: int) -> None:
    settings = load_settings(environ)
    alias, name = alias_of(embedding_model(settings)), settings.openai_model
    with httpx.Client(base_url=environ["QDRANT_URL"], headers={"api-key": environ["QDRANT_API_KEY"]}) as client:
        vectors: dict[str, Any] = {"dense": {"size": dims, "distance": "Cosine"}}
        client.put(f"/collections/{name}", json={"vectors": vectors}).raise_for_status()
        actions = [{"create_alias": {"collection_name": name, "alias_name": alias}}]
        client.post("/collections/aliases", json={"actions": actions}).raise_for_status()


def test_an_index_without_the_collection_is_fine(qdrant_environ: dict[str, str]) -> None:
    findings = qdrant_findings(qdrant_environ)
    assert problems(findings) == {}
    assert "none yet" in findings[1].found


def test_an_index_with_the_models_collection_is_fine(qdrant_environ: dict[str, str]) -> None:
    make_collection(qdrant_environ, 8)
    findings = qdrant_findings(qdrant_environ)
    assert problems(findings) == {}
    assert "0 points" in findings[1].found


def test_a_collection_of_other_vectors_is_a_problem(qdrant_environ: dict[str, str]) -> None:
    make_collection(qdrant_environ, 4)
    assert "drop that alias" in problems(qdrant_findings(qdrant_environ))["qdrant.collection"]


def test_a_wrong_key_is_one_problem_that_does_not_show_it(qdrant_environ: dict[str, str]) -> None:
    findings = qdrant_findings(qdrant_environ | {"QDRANT_API_KEY": "wrong-word"})
    assert problems(findings) == {"qdrant": "set the right QDRANT_API_KEY and restart the workers."}
    assert "wrong-word" not in findings[0].found


def test_a_closed_port_and_a_bad_address_of_qdrant_are_problems(
    qdrant_environ: dict[str, str], closed_port: int
) -> None:
    for url in (f"http://127.0.0.1:{closed_port}", "ftp://h"):
        findings = qdrant_findings(qdrant_environ | {"QDRANT_URL": url})
        assert problems(findings).keys() == {"qdrant"}
        assert "QDRANT_URL" in f"{findings[0].found} {findings[0].advice}"


def test_nothing_is_a_probe_of_a_service_that_is_not_set() -> None:
    nothing = load_settings({})
    for seen in (look_postgres.look(nothing), look_redis.look(nothing), look_qdrant.look(nothing)):
        assert isinstance(seen, Silence)
        assert "mobius up" in seen.advice
