"""Decide whether Postgres admits all the connections that our processes may open: processes x pool against its limit.

How many replicas run is known to nobody here. Counted are the processes that the settings name, or those that answer
over Redis if they are more, or those that the operator names.
"""

from __future__ import annotations

from models.diagnosis import Connections
from worker.doctor.findings import Finding, ok, problem, warning
from worker.settings import Settings

#: Connections of one running command (see ``worker.cli.services``); two may run at once.
_COMMANDS = 2 * 4
#: Its LISTEN connection, which is in no pool.
_DISPATCHER_EXTRA = 1

#: A share of the limit above this leaves nothing for a rolling deployment, during which processes exist twice.
_FULL = 0.8


def worker_processes(settings: Settings) -> int:
    """Return how many worker processes one fleet of these settings has; the control queue has one of its own."""
    return settings.cpu_concurrency + settings.io_concurrency + 1


def judge_connections(
    seen: Connections, settings: Settings, *, named: int | None = None, answering: int | None = None
) -> Finding:
    """Judge the budget. ``named``: worker processes in all, by the operator; ``answering``: those that run now."""
    configured = worker_processes(settings)
    processes = named if named is not None else max(configured, answering or 0)
    source = "as you say" if named is not None else "as configured" if processes == configured else "as running now"
    others = _others(settings)
    needed = processes * settings.pool_size + sum(others.values())
    limit = min(each for each in (seen.server_limit, seen.database_limit, seen.role_limit) if each >= 0)
    shares = ", ".join(f"{count} for {who}" for who, count in others.items())
    found = (
        f"{processes} worker processes ({source}) x pool of {settings.pool_size}, {shares}: {needed} of {limit};"
        f" now {seen.ours} are ours and {seen.others} are others'"
    )
    advice = (
        f"raise the server's max_connections (or the role's or database's limit) above {needed + seen.others}, or lower"
        " MOBIUS_POOL_SIZE or the number of processes. `--processes N` says how many worker processes there are in all."
    )
    name = "postgres.connections"
    if needed > limit:
        return problem(name, found, advice)
    if needed + seen.others > limit * _FULL:
        return warning(name, found, advice)
    return ok(name, found)


def _others(settings: Settings) -> dict[str, int]:
    """Return who else connects, each running once, and how many connections it may open."""
    from worker.api.services import DATABASE_CONNECTIONS  # noqa: PLC0415  FastAPI takes half a second to import

    return {
        "the dispatcher": settings.pool_size + _DISPATCHER_EXTRA,
        "the API": DATABASE_CONNECTIONS,
        "two commands": _COMMANDS,
    }
