"""What mobius doctor sees of a real Redis: as it should be, set wrongly, tight-lipped, closed, wrong password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from harness.diagnosis import advised, by_name
from harness.servers import RedisServer

from worker.doctor import redis
from worker.doctor.findings import Finding, Silence, Status
from worker.doctor.probes import redis as look_redis
from worker.settings import load_settings


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
        assert advised(redis_findings(server.url)).keys() == names


def test_a_managed_redis_that_forbids_config_is_judged_by_info(redis_server: RedisServer) -> None:
    redis_server.client.execute_command("ACL SETUSER guest on >guest-word ~* &* +@all -config")
    findings = redis_findings(f"redis://guest:guest-word@127.0.0.1:{redis_server.port}")
    assert advised(findings) == {}
    assert "CONFIG refused" in by_name(findings)["redis.persistence"].found


def test_a_redis_that_tells_nothing_is_no_ok(redis_server: RedisServer) -> None:
    redis_server.client.execute_command("ACL SETUSER guest on >guest-word ~* &* +@all -config -info")
    findings = redis_findings(f"redis://guest:guest-word@127.0.0.1:{redis_server.port}")
    assert advised(findings).keys() == {"redis", "redis.policy", "redis.persistence", "redis.memory"}
    assert {finding.status for finding in findings[:-1]} == {Status.WARNING}


def test_a_wrong_password_for_redis_is_one_problem(services: dict[str, str]) -> None:
    port = urlsplit(services["REDIS_URL"]).port
    findings = redis_findings(f"redis://:wrong-word@127.0.0.1:{port}")
    assert advised(findings).keys() == {"redis"}
    assert "refuses the password" in findings[0].found
    assert "wrong-word" not in findings[0].found


def test_a_closed_port_and_a_bad_address_of_redis_are_advised(closed_port: int) -> None:
    assert advised(redis_findings(f"redis://127.0.0.1:{closed_port}")).keys() == {"redis"}
    assert "redis://:PASSWORD@HOST" in advised(redis_findings("http://h"))["redis"]


def test_looking_leaves_nothing_behind(redis_server: RedisServer) -> None:
    redis_findings(redis_server.url)
    assert redis_server.client.dbsize() == 0


def test_a_redis_that_is_not_set_is_not_looked_for() -> None:
    seen = look_redis.look(load_settings({}))
    assert isinstance(seen, Silence)
    assert "mobius up" in seen.advice
