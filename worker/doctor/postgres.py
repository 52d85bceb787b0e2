"""Decide whether a database can be the truth: it is the right one, complete, writable, durable, and has room."""

from __future__ import annotations

from dataclasses import dataclass

from models.diagnosis import Backlog, Connections, Server
from models.schema import is_newer, require_current
from pipeline.errors import SchemaMismatch
from worker.doctor.clock import Skew, judge_clock
from worker.doctor.disk import GIB, DiskSpace, amount, judge_disk
from worker.doctor.findings import Finding, Silence, ok, parts_of, problem, silent, skipped, warning

#: The oldest version that is supported, as ``server_version_num`` has it.
MINIMUM = 140000
MINIMUM_PGVECTOR = (0, 5)
#: Free space that the database's file system must have (bytes).
_LEAST_FREE = GIB

_DEPENDENTS = ("postgres.pgvector", "postgres.schema", "postgres.durability", "postgres.clock", "postgres.disk")


@dataclass(frozen=True, slots=True)
class PostgresSeen:
    """What a look at the database saw. ``backlog``: None at another schema; ``disk``: None where it is elsewhere."""

    address: str
    server: Server
    connections: Connections
    revision: str | None
    backlog: Backlog | None
    skew: Skew
    disk: DiskSpace | None


def judge(seen: PostgresSeen | Silence, lease_seconds: float) -> list[Finding]:
    """Judge the database but for its connections, which depend on who else there is."""
    if isinstance(seen, Silence):
        return silent(seen, "postgres", *_DEPENDENTS)
    return [
        judge_server(seen.server, seen.address),
        judge_pgvector(seen.server),
        judge_schema(seen.revision),
        judge_durability(seen.server),
        judge_clock("postgres.clock", seen.skew, lease_seconds),
        _judge_space(seen),
    ]


def judge_server(server: Server, address: str) -> Finding:
    """Judge version, writability and encoding."""
    name = "postgres"
    found = f"PostgreSQL {server.version_name} at {address}"
    if server.version < MINIMUM:
        return problem(name, found, f"use PostgreSQL {MINIMUM // 10000} or newer.")
    if server.is_replica:
        return problem(name, f"{found} is a read-only replica", "point DATABASE_URL at the primary server.")
    if server.is_read_only:
        return problem(
            name,
            f"{found} is set to read only",
            "find out why default_transaction_read_only is on (some providers do that when the disk is full), then"
            " switch it off.",
        )
    if server.encoding != "UTF8":
        return problem(
            name,
            f"{found} has a database in {server.encoding}",
            "create the database with ENCODING 'UTF8' TEMPLATE template0, and migrate that one.",
        )
    return ok(name, found)


def judge_pgvector(server: Server) -> Finding:
    """Judge the extension."""
    name = "postgres.pgvector"
    if server.pgvector is None and not server.has_pgvector_files:
        return problem(
            name,
            "the server has no pgvector",
            "install it on the server (package postgresql-NN-pgvector, or the image pgvector/pgvector), then run"
            " `mobius migrate`.",
        )
    if server.pgvector is None:
        return problem(
            name,
            "the extension is not created in this database",
            "run `mobius migrate`, or as a role that may: CREATE EXTENSION vector.",
        )
    if _numbers(server.pgvector) < MINIMUM_PGVECTOR:
        return problem(
            name,
            f"version {server.pgvector}",
            f"install {'.'.join(map(str, MINIMUM_PGVECTOR))} or newer, then run ALTER EXTENSION vector UPDATE.",
        )
    return ok(name, f"version {server.pgvector}")


def judge_schema(revision: str | None) -> Finding:
    """Judge the schema revision."""
    try:
        require_current(revision)
    except SchemaMismatch as exc:
        return problem("postgres.schema", *parts_of(exc))
    if is_newer(revision):
        found = f"schema {revision} is of a newer version, which this one works with"
        return warning("postgres.schema", found, "Upgrade mobius-ingest here too.")
    return ok("postgres.schema", f"revision {revision}, the one that this version needs")


def judge_durability(server: Server) -> Finding:
    """Judge whether what is committed survives a crash of the server."""
    values = {
        "fsync": server.fsync,
        "full_page_writes": server.full_page_writes,
        "synchronous_commit": server.synchronous_commit,
    }
    found = ", ".join(f"{setting}={value}" for setting, value in values.items())
    if off := [setting for setting, value in values.items() if value == "off"]:
        return problem(
            "postgres.durability",
            found,
            f"switch {' and '.join(off)} on and reload the server: Postgres is the only truth, and a crash would lose"
            " what it said was committed.",
        )
    return ok("postgres.durability", found)


def _judge_space(seen: PostgresSeen) -> Finding:
    name, size = "postgres.disk", amount(seen.server.database_bytes)
    if seen.disk is None:
        return skipped(
            name,
            f"the database takes {size}; the server's disk cannot be seen from here",
            "watch its free space where the server runs.",
        )
    return judge_disk(name, seen.disk, _LEAST_FREE)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
