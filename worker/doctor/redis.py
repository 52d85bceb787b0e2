"""Decide whether a Redis can carry messages: nothing is evicted, and a restart does not forget what was sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from worker.doctor.clock import Skew, judge_clock
from worker.doctor.disk import amount
from worker.doctor.findings import Finding, Silence, ok, problem, silent, warning

MINIMUM = (6, 2)
#: Shares of maxmemory in use.
_FULL, _FILLING = 0.9, 0.75


@dataclass(frozen=True, slots=True)
class RedisSeen:
    """What INFO, TIME, CONFIG and LLEN said. None or empty: it was not said; ``unseen`` names what was refused."""

    address: str
    skew: Skew
    version: str = ""
    mode: str = ""
    role: str = ""
    policy: str = ""
    is_append_only: bool | None = None
    last_write: str = ""
    appendfsync: str = ""
    used: int = 0
    limit: int = 0
    #: Messages that wait in the queues of the stages.
    queued: int | None = None
    unseen: tuple[str, ...] = field(default=())


def judge(seen: RedisSeen | Silence, lease_seconds: float) -> list[Finding]:
    """Judge a Redis."""
    if isinstance(seen, Silence):
        return silent(seen, "redis", "redis.policy", "redis.persistence", "redis.memory", "redis.clock")
    return [
        judge_server(seen),
        judge_policy(seen),
        judge_persistence(seen),
        judge_memory(seen),
        judge_clock("redis.clock", seen.skew, lease_seconds),
    ]


def judge_server(seen: RedisSeen) -> Finding:
    """Judge version and kind."""
    name, found = "redis", f"Redis {seen.version} at {seen.address}"
    if not seen.version:
        return warning(
            name,
            f"Redis at {seen.address} does not tell its version",
            f"make sure that it is {_dotted(MINIMUM)} or newer.",
        )
    if tuple(int(part) for part in seen.version.split(".") if part.isdigit()) < MINIMUM:
        return problem(name, found, f"use Redis {_dotted(MINIMUM)} or newer.")
    if seen.mode == "cluster":
        return problem(name, f"{found} is a cluster", "use a single server (with replicas): Celery knows no clusters.")
    if seen.role not in {"", "master"}:
        return problem(name, f"{found} is a replica", "point REDIS_URL at the primary server.")
    return ok(name, found)


def judge_policy(seen: RedisSeen) -> Finding:
    """Judge what Redis does when its memory is full."""
    name = "redis.policy"
    if not seen.policy:
        return warning(
            name, _not_seen("maxmemory-policy", seen), "see in the provider's console that it is noeviction."
        )
    if seen.policy != "noeviction":
        return problem(
            name,
            f"maxmemory-policy is {seen.policy}: messages may be evicted unseen",
            "set maxmemory-policy noeviction (CONFIG SET, and in redis.conf or the provider's console).",
        )
    return ok(name, "maxmemory-policy is noeviction")


def judge_persistence(seen: RedisSeen) -> Finding:
    """Judge the append-only file."""
    name = "redis.persistence"
    if seen.is_append_only is None:
        return warning(name, _not_seen("appendonly", seen), "see in the provider's console that it is on.")
    if not seen.is_append_only:
        return problem(
            name,
            "appendonly is off: a restart forgets the messages, and the sweep has to find them again one by one",
            "set appendonly yes (CONFIG SET appendonly yes, and in redis.conf or the provider's console).",
        )
    if seen.last_write not in {"", "ok"}:
        return problem(
            name,
            f"the last write of the append-only file ended with {seen.last_write}",
            "look into Redis' log; most often its disk is full.",
        )
    if seen.appendfsync == "no":
        return warning(
            name,
            "appendonly is on, but appendfsync is no: a crash of the machine may cost many messages",
            "set appendfsync everysec.",
        )
    fsync = f"appendfsync {seen.appendfsync}" if seen.appendfsync else _not_seen("appendfsync", seen)
    return ok(name, f"appendonly is on, {fsync}")


def judge_memory(seen: RedisSeen) -> Finding:
    """Judge how much of the allowed memory is in use."""
    name = "redis.memory"
    if "INFO" in seen.unseen:
        return warning(name, _not_seen("memory", seen), "watch it in the provider's console.")
    if not seen.limit:
        return ok(name, f"{amount(seen.used)} in use, no maxmemory")
    found = f"{amount(seen.used)} of {amount(seen.limit)} in use"
    advice = "raise maxmemory, and find out what fills it: a full Redis takes no messages."
    if seen.used >= _FULL * seen.limit:
        return problem(name, found, advice)
    return warning(name, found, advice) if seen.used >= _FILLING * seen.limit else ok(name, found)


def _not_seen(what: str, seen: RedisSeen) -> str:
    why = f" ({' and '.join(seen.unseen)} refused)" if seen.unseen else ""
    return f"{what} cannot be seen{why}"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
