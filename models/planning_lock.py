"""The lock that makes one producer at a time plan a source.

It is an advisory lock of the producer's own connection: it dies with the producer, so a run that is being planned
while its source's lock is free was left behind by a dead one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pipeline.intake import SourceBusy

#: Seconds between two looks at a source that another producer is planning.
POLL = 0.2
#: The key of a source's lock, as SQL; ``{source}`` is an expression of type uuid.
LOCK_KEY = "hashtextextended('plan:' || CAST({source} AS text), 0)"

_KEY = LOCK_KEY.format(source="CAST(:source AS uuid)")
_TRY_LOCK = text(f"SELECT pg_try_advisory_lock({_KEY})")
_UNLOCK = text(f"SELECT pg_advisory_unlock({_KEY})")


def lock_source(connection: Connection, source_id: UUID, patience: float, on_wait: Callable[[], None]) -> None:
    """Take the lock, waiting at most ``patience`` seconds; ``on_wait`` is called once if it must wait.

    Raises:
        SourceBusy: Another producer held it all the while.
    """
    deadline = time.monotonic() + patience
    waited = False
    while not connection.execute(_TRY_LOCK, {"source": source_id}).scalar_one():
        if time.monotonic() > deadline:
            raise SourceBusy
        if not waited:
            on_wait()
        waited = True
        time.sleep(POLL)


def unlock_source(connection: Connection, source_id: UUID) -> None:
    """Release the lock."""
    connection.execute(_UNLOCK, {"source": source_id})


def let_go(connection: Connection, source_id: UUID) -> None:
    """Release the lock of a plan that is complete; where that fails, the lock dies with its connection."""
    try:
        unlock_source(connection, source_id)
    except DBAPIError:
        connection.invalidate()
