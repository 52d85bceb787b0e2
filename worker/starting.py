"""What a worker and a dispatcher wait for before they begin: a database that has at least their schema."""

from __future__ import annotations

import time

import structlog

from models import schema
from pipeline.errors import ServiceUnavailable

log = structlog.get_logger(__name__)

#: Seconds between two looks at a database that does not answer.
PAUSE = 1.0


def await_schema(database_url: str, pause: float = PAUSE) -> None:
    """Return when the database answers and has the schema of this version, or a newer one.

    Raises:
        SchemaMismatch: It is empty, older, or of no version of ours; every statement of ours might fail on it.
    """
    while True:
        try:
            schema.check(database_url)
        except ServiceUnavailable as exc:
            log.warning("service_unavailable", reason=str(exc))
            time.sleep(pause)
        else:
            return
