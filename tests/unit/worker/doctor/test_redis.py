"""What Redis says about itself means that messages are safe in it; what it does not say is not taken for granted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worker.doctor.clock import Skew
from worker.doctor.findings import Silence, Status
from worker.doctor.redis import (
    RedisSeen,
    judge,
    judge_memory,
    judge_persistence,
    judge_policy,
    judge_server,
)

SEEN = RedisSeen(
    address="redis://h",
    skew=Skew(0, 0),
    version="7.4.1",
    mode="standalone",
    role="master",
    policy="noeviction",
    is_append_only=True,
    last_write="ok",
    appendfsync="everysec",
    used=100,
    limit=1000,
)
#: What is left of a managed Redis that forbids INFO and CONFIG.
MUTE = RedisSeen("redis://h", Skew(0, 0), unseen=("INFO", "CONFIG"))


def test_a_good_redis_has_nothing_to_do() -> None:
    findings = judge(SEEN, 20)
    assert {(finding.status, finding.advice) for finding in findings} == {(Status.OK, "")}


def test_one_that_does_not_answer_is_one_problem_and_the_rest_is_skipped() -> None:
    first, *rest = judge(Silence("no", "start it"), 20)
    assert (first.name, first.status) == ("redis", Status.PROBLEM)
    assert [finding.name for finding in rest] == ["redis.policy", "redis.persistence", "redis.memory", "redis.clock"]
    assert {finding.status for finding in rest} == {Status.SKIPPED}


def test_what_a_managed_one_refuses_to_tell_is_a_warning_that_says_where_to_look() -> None:
    findings = [finding for finding in judge(MUTE, 20) if finding.name != "redis.clock"]
    assert {finding.status for finding in findings} == {Status.WARNING}
    assert all(finding.advice for finding in findings)
    assert "INFO and CONFIG refused" in judge_policy(MUTE).found


@pytest.mark.parametrize(
    ("change", "status", "advice"),
    [
        ({"version": "6.2.0"}, Status.OK, ""),
        ({"version": "6.0.16"}, Status.PROBLEM, "6.2 or newer"),
        ({"version": "5"}, Status.PROBLEM, "6.2 or newer"),
        ({"version": ""}, Status.WARNING, "6.2 or newer"),
        ({"mode": "cluster"}, Status.PROBLEM, "single server"),
        ({"mode": "sentinel", "role": "sentinel"}, Status.PROBLEM, "primary"),
        ({"role": "slave"}, Status.PROBLEM, "primary"),
    ],
)
def test_version_and_kind(change: dict[str, str], status: Status, advice: str) -> None:
    finding = judge_server(replace(SEEN, **change))
    assert finding.status is status
    assert advice in finding.advice


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "allkeys-random", "volatile-ttl"])
def test_any_eviction_is_a_problem(policy: str) -> None:
    finding = judge_policy(replace(SEEN, policy=policy))
    assert finding.status is Status.PROBLEM
    assert policy in finding.found
    assert "noeviction" in finding.advice


@pytest.mark.parametrize(
    ("change", "status", "advice"),
    [
        ({"is_append_only": False}, Status.PROBLEM, "appendonly yes"),
        ({"last_write": "err"}, Status.PROBLEM, "disk"),
        ({"appendfsync": "no"}, Status.WARNING, "everysec"),
        ({"appendfsync": "always"}, Status.OK, ""),
        ({"appendfsync": "", "unseen": ("CONFIG",)}, Status.OK, ""),
    ],
)
def test_persistence(change: dict[str, object], status: Status, advice: str) -> None:
    finding = judge_persistence(replace(SEEN, **change))
    assert finding.status is status
    assert advice in finding.advice


def test_what_could_not_be_seen_is_said_beside_what_could() -> None:
    assert "CONFIG refused" in judge_persistence(replace(SEEN, appendfsync="", unseen=("CONFIG",))).found


@pytest.mark.parametrize(
    ("used", "limit", "status"),
    [
        (749, 1000, Status.OK),
        (750, 1000, Status.WARNING),
        (900, 1000, Status.PROBLEM),
        (10**12, 0, Status.OK),
    ],
)
def test_memory(used: int, limit: int, status: Status) -> None:
    assert judge_memory(replace(SEEN, used=used, limit=limit)).status is status
