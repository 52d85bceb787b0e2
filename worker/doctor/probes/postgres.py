"""Look at the database: one connection, a handful of reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import DBAPIError

from models import diagnosis
from models.schema import known_revisions
from pipeline.errors import MisconfiguredError, ServiceUnavailable
from worker.doctor.clock import Skew
from worker.doctor.disk import DiskSpace
from worker.doctor.findings import Silence, one_line
from worker.doctor.postgres import PostgresSeen
from worker.doctor.probes import disk
from worker.local.urls import masked
from worker.settings import Settings

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
#: Seconds of the dispatcher's and the sweep's own delays that are no sign of trouble.
PATIENCE = 30.0


def look(settings: Settings) -> PostgresSeen | Silence:
    """Return what the database says about itself and its backlog."""
    try:
        url = settings.require("database_url")
        with diagnosis.looking(url) as connection:
            server = diagnosis.server(connection)
            revision = diagnosis.schema_revision(connection)
            is_ours = revision == known_revisions()[-1]
            return PostgresSeen(
                address=masked(url),
                server=server,
                connections=diagnosis.connections(connection),
                revision=revision,
                backlog=diagnosis.backlog(connection, PATIENCE, settings.dispatch_timeout_seconds) if is_ours else None,
                skew=Skew(*diagnosis.clock(connection)),
                disk=_space(url, server.data_directory),
            )
    except MisconfiguredError as exc:
        return Silence.of(exc)
    except ServiceUnavailable as exc:
        cause = exc.__cause__.orig if isinstance(exc.__cause__, DBAPIError) else exc.__cause__
        return Silence(
            f"Postgres does not answer: {one_line(str(cause or exc))}",
            "start it, and check address, user, password and database name in DATABASE_URL.",
        )


def _space(url: str, data_directory: str | None) -> DiskSpace | None:
    """Return the room at the server's data, if the server is on this machine and not in a container of its own."""
    if data_directory is None or urlsplit(url).hostname not in _LOOPBACK:
        return None
    directory = Path(data_directory)
    try:
        is_here = directory.is_dir()
    except OSError:
        is_here = False
    seen = disk.look(directory) if is_here else None
    # The server's user writes there, not ours.
    return replace(seen, is_writable=True) if isinstance(seen, DiskSpace) else None
