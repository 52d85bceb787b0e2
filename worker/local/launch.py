"""Turn what the operator wants into a process table, and start the supervisor that runs it.

Everything that can fail with a message to the operator fails here, before anything is started: a service of theirs
that does not answer, a port that is taken, a program that is missing or cannot run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.local import fleet, logs, ports, postgres, probes, qdrant, redis
from worker.local.children import ROOT
from worker.local.errors import StackError
from worker.local.fleet import FleetOptions
from worker.local.leftovers import SUPERVISOR
from worker.local.specs import ChildSpec, External, Launch, check_table, encode
from worker.local.state import Home
from worker.local.urls import masked

#: The variable that names each service.
VARIABLES = {postgres.NAME: "DATABASE_URL", redis.NAME: "REDIS_URL", qdrant.NAME: "QDRANT_URL"}
#: What a client of the services needs.
SERVICE_VARIABLES = (*VARIABLES.values(), "QDRANT_API_KEY")

#: What a stack writes below its home, the lock excepted.
OWNED = ("postgres", "redis", "qdrant", "logs", "*.json", "celerybeat-schedule*")


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """Ports that the operator insists on; None picks the last one used if it is free, else any free one."""

    postgres: int | None = None
    redis: int | None = None
    qdrant: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What `up` was asked for. ``table`` replaces our own processes, migration included."""

    services_only: bool
    fleet: FleetOptions
    ports: ServicePorts
    table: Sequence[ChildSpec] | None


def launch(home: Home, environ: Mapping[str, str], wish: Wish, lock: int) -> None:
    """Prepare everything and start the supervisor, which takes over the lock with this file descriptor.

    Raises:
        StackError: Something is not as it must be; nothing was started.
    """
    externals = _externals(environ)
    try:
        plan = _plan(home, environ, wish, externals)
        check_table(plan.table, [service.name for service in externals])
        _start_supervisor(home, environ, plan, lock)
    except OSError as exc:
        raise StackError(f"The local stack cannot be prepared in {home.path}: {exc}. Mend that and try again.") from exc


def _externals(environ: Mapping[str, str]) -> tuple[External, ...]:
    found = tuple(External(name, environ[variable]) for name, variable in VARIABLES.items() if environ.get(variable))
    for service in found:
        if probes.answers(service.url) is False:
            raise StackError(
                f"{VARIABLES[service.name]} is set to {masked(service.url)}, and nothing answers there: start that "
                f"service, correct the address, or unset the variable to use a local one."
            )
    return found


def _plan(home: Home, environ: Mapping[str, str], wish: Wish, externals: tuple[External, ...]) -> Launch:
    theirs = {service.name: service.url for service in externals}
    local = [name for name in VARIABLES if name not in theirs]
    chosen = _choose_ports(home, wish, local)
    environment = {
        variable: theirs.get(name) or _local_url(home, name, chosen[name]) for name, variable in VARIABLES.items()
    }
    if qdrant.NAME in local:
        environment["QDRANT_API_KEY"] = home.secret(qdrant.NAME)
    elif key := environ.get("QDRANT_API_KEY"):
        environment["QDRANT_API_KEY"] = key
    return Launch(
        table=(*_services(home, environ, local, chosen), *_our_own(home, wish, chosen)),
        environment={**environment, "MOBIUS_HOME": str(home.path)},
        externals=externals,
        services_only=wish.services_only,
    )


def _local_url(home: Home, name: str, port: int) -> str:
    if name == postgres.NAME:
        return postgres.url(home, port)
    return redis.url(home, port) if name == redis.NAME else qdrant.url(port)


def _choose_ports(home: Home, wish: Wish, local: Sequence[str]) -> dict[str, int]:
    wanted: dict[str, int | None] = {name: getattr(wish.ports, name) for name in local}
    if qdrant.NAME in local:
        wanted[qdrant.GRPC] = None
    if wish.table is None and not wish.services_only:
        wanted[fleet.FLOWER] = wish.fleet.flower_port
        wanted[fleet.API] = wish.fleet.api_port
    chosen = ports.choose(wanted, home.ports())
    home.remember_ports(chosen)
    return chosen


def _services(
    home: Home, environ: Mapping[str, str], local: Sequence[str], chosen: Mapping[str, int]
) -> tuple[ChildSpec, ...]:
    table: tuple[ChildSpec, ...] = ()
    if postgres.NAME in local:
        table += postgres.specs(home, chosen[postgres.NAME], postgres.prepare(home))
    if redis.NAME in local:
        redis.prepare(home, chosen[redis.NAME])
        table += (redis.spec(home, chosen[redis.NAME]),)
    if qdrant.NAME in local:
        table += (qdrant.spec(home, chosen, qdrant.find_binary(environ)),)
    return table


def _our_own(home: Home, wish: Wish, chosen: Mapping[str, int]) -> tuple[ChildSpec, ...]:
    if wish.table is not None:
        return tuple(wish.table)
    migration = fleet.migration([postgres.NAME])
    if wish.services_only:
        return (migration,)
    ours = fleet.specs(home, wish.fleet, chosen[fleet.FLOWER], chosen[fleet.API], tuple(VARIABLES))
    return (migration, *ours)


def _start_supervisor(home: Home, environ: Mapping[str, str], plan: Launch, lock: int) -> None:
    log = home.log("supervisor")
    logs.bound(log)
    log.touch(mode=0o600)
    with log.open("ab") as out:
        start = out.tell()
        starter = subprocess.Popen(
            (sys.executable, "-m", SUPERVISOR, str(home.path), str(lock)),
            cwd=ROOT,
            env=dict(environ),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
            text=True,
        )
        # It leaves a child behind and exits, so that the supervisor is nobody's child and the caller may die.
        starter.communicate(encode(plan))
    if starter.returncode != 0:
        raise StackError(f"The supervisor cannot start; {log} ends with:\n{logs.tail(log, start)}")
