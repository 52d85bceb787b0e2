"""Decide what the whole is like: a diagnosis is made whatever is down, bad settings included."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.errors import MisconfiguredError
from tasks.queues import ROUTES
from worker.doctor import embedder, fleet, flower, installation, postgres, qdrant, redis
from worker.doctor.connections import judge_connections
from worker.doctor.disk import GIB, MIB, judge_disk, judge_home
from worker.doctor.findings import Finding, Silence, parts_of, problem, skipped
from worker.doctor.looking import Seen, look
from worker.doctor.secrecy import secrets_of, secrets_within, without_secrets
from worker.settings import BadSettings, Settings, load_settings

_LEAST_HOME = GIB
_LEAST_TEMPORARY = 128 * MIB

_CORRECT = "correct it in the environment; docs/configuration.md lists all variables."
_NOTHING_ELSE = skipped("services", "nothing else can be looked at before the settings are usable")


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
        judge_home(seen.home, _LEAST_HOME, is_used=_uses_home(seen, settings)),
        judge_disk("disk.temporary", seen.temporary, _LEAST_TEMPORARY),
    ]


def _uses_home(seen: Seen, settings: Settings) -> bool:
    runs = isinstance(seen.stack, Silence) or seen.stack.is_running
    return runs or not (settings.database_url and settings.redis_url and settings.qdrant_url)


def _connections(seen: Seen, settings: Settings, processes: int | None) -> Finding:
    if isinstance(seen.postgres, Silence):
        return skipped("postgres.connections", "see postgres")
    answering = None if isinstance(seen.workers, Silence) else seen.workers.processes
    return judge_connections(seen.postgres.connections, settings, named=processes, answering=answering)


def _dispatcher(seen: Seen, settings: Settings) -> Finding:
    if isinstance(seen.postgres, Silence):
        return skipped("dispatcher", "its work is seen in the ledger only, see postgres")
    backlog, listening = seen.postgres.backlog, seen.postgres.connections.dispatchers
    queued = None if isinstance(seen.redis, Silence) else seen.redis.queued
    return fleet.judge_dispatcher(backlog, listening, settings.dispatch_window, queued)
