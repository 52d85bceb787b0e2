"""Look at everything at once, then judge it: whatever is down, the rest is still reported, within a few seconds."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MisconfiguredError
from tasks.queues import ROUTES
from worker import local
from worker.doctor import embedder, fleet, flower, installation, postgres, qdrant, redis
from worker.doctor.connections import judge_connections
from worker.doctor.disk import GIB, MIB, DiskSpace, judge_disk
from worker.doctor.findings import Finding, Silence, parts_of, problem, skipped
from worker.doctor.questions import Question
from worker.doctor.secrecy import secrets_of, secrets_within, without_secrets
from worker.local.fleet import FLOWER
from worker.settings import BadSettings, Settings, load_settings

#: Everything that was asked has to have answered by then (seconds).
LIMIT = 4.0

_LEAST_HOME = GIB
_LEAST_TEMPORARY = 128 * MIB

_CORRECT = "correct it in the environment; docs/configuration.md lists all variables."
_NOTHING_ELSE = skipped("services", "nothing else can be looked at before the settings are usable")


@dataclass(frozen=True, slots=True)
class Seen:
    """What all probes saw."""

    stack: local.StackStatus | Silence
    postgres: postgres.PostgresSeen | Silence
    redis: redis.RedisSeen | Silence
    qdrant: qdrant.QdrantSeen | Silence
    workers: fleet.WorkersSeen | Silence
    flower: flower.FlowerSeen | Silence | None
    embedder: embedder.ProviderSeen | Silence | None
    home: DiskSpace | Silence
    temporary: DiskSpace | Silence
    installed: installation.Installed


def examine(read_environment: Callable[[], Mapping[str, str]], processes: int | None = None) -> list[Finding]:
    """Return what is well and what is not. ``processes``: worker processes in all, where the operator knows.

    Bad settings are findings too; then nothing else can be looked at.
    """
    environ: Mapping[str, str] = {}
    try:
        environ = read_environment()
        settings = load_settings(environ)
    except BadSettings as exc:
        bad = [problem("settings", each, _CORRECT) for each in exc.problems]
        return without_secrets([*bad, _NOTHING_ELSE], secrets_within(environ))
    except MisconfiguredError as exc:
        return [problem("settings", *parts_of(exc)), _NOTHING_ELSE]
    return without_secrets(judge(look(settings), settings, processes), secrets_of(settings))


def look(settings: Settings, limit: float = LIMIT) -> Seen:
    """Ask all probes at once; one that has not answered after ``limit`` seconds is left behind."""
    # Together they take a second to import, and other commands need none of them.
    from worker.doctor.probes import (  # noqa: PLC0415
        disk,
        embedder,
        flower,
        installation,
        postgres,
        qdrant,
        redis,
        workers,
    )

    stack = _stack(settings)
    address = settings.flower_url or _flower_of(stack)
    until = time.monotonic() + limit
    asked_postgres = Question("Postgres", lambda: postgres.look(settings))
    asked_redis = Question("Redis", lambda: redis.look(settings))
    asked_qdrant = Question("Qdrant", lambda: qdrant.look(settings))
    asked_workers = Question("workers", lambda: workers.look(settings))
    asked_flower = Question("Flower", lambda: flower.look(address))
    asked_embedder = Question("embedder", lambda: embedder.look(settings))
    asked_home = Question("MOBIUS_HOME", lambda: disk.look(settings.home))
    asked_temporary = Question("temporary files", lambda: disk.look(Path(tempfile.gettempdir())))
    return Seen(
        stack=stack,
        postgres=asked_postgres.answer(until),
        redis=asked_redis.answer(until),
        qdrant=asked_qdrant.answer(until),
        workers=asked_workers.answer(until),
        flower=asked_flower.answer(until),
        embedder=asked_embedder.answer(until),
        home=asked_home.answer(until),
        temporary=asked_temporary.answer(until),
        installed=installation.look(),
    )


def judge(seen: Seen, settings: Settings, processes: int | None = None) -> list[Finding]:
    """Judge all that was seen; talks to nobody."""
    return [
        installation.judge_settings(settings),
        installation.judge_versions(seen.installed),
        *postgres.judge(seen.postgres, settings.lease_seconds),
        _connections(seen, settings, processes),
        *redis.judge(seen.redis, settings.lease_seconds),
        *qdrant.judge(seen.qdrant),
        fleet.judge_stack(seen.stack),
        fleet.judge_workers(seen.workers, {route["queue"] for route in ROUTES.values()}),
        _dispatcher(seen, settings),
        fleet.judge_beat(seen.stack),
        flower.judge(seen.flower),
        embedder.judge(seen.embedder, settings.openai_model),
        judge_disk("disk.home", seen.home, _LEAST_HOME),
        judge_disk("disk.temporary", seen.temporary, _LEAST_TEMPORARY),
    ]


def _connections(seen: Seen, settings: Settings, processes: int | None) -> Finding:
    if isinstance(seen.postgres, Silence):
        return skipped("postgres.connections", "see postgres")
    answering = None if isinstance(seen.workers, Silence) else seen.workers.processes
    return judge_connections(seen.postgres.connections, settings, named=processes, answering=answering)


def _dispatcher(seen: Seen, settings: Settings) -> Finding:
    if isinstance(seen.postgres, Silence):
        return skipped("dispatcher", "its work is seen in the ledger only, see postgres")
    backlog, listening = seen.postgres.backlog, seen.postgres.connections.dispatchers
    return fleet.judge_dispatcher(backlog, listening, settings.dispatch_window)


def _stack(settings: Settings) -> local.StackStatus | Silence:
    try:
        # What answers at the operator's own addresses is looked at in full anyway.
        return local.status(settings.home, ask=False)
    except MisconfiguredError as exc:
        return Silence.of(exc)


def _flower_of(stack: local.StackStatus | Silence) -> str | None:
    if isinstance(stack, Silence) or not stack.is_running:
        return None
    return next((child.url for child in stack.children if child.name == FLOWER), None)
