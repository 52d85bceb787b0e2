"""Give the dispatcher its slices and bring back the ones that got lost; harmless when several do it at once.

Every send bumps ``seq``, so a message that was merely late finds its token stale and dies quietly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

from models.cancelling import end_cancelled
from models.losses import end_exhausted, end_expired
from models.pausing import FLEET_PAUSED, PAUSED_RUNS, hold_back
from models.planning_lock import LOCK_KEY
from models.session import transaction
from models.transitions import slice_move
from pipeline.states import SliceEvent
from pipeline.types import Stage, Token
from pipeline.work import Swept

#: Slices of cancelled runs that one sweep ends at most; the next one goes on.
_CANCELLED_PER_SWEEP = 200

# ARRAY, for an array is made once: as `IN (SELECT ...)` the planner may run the subquery once per row, and each time
# it skips the rows that it took before, so that LIMIT limits nothing.
_PICK = (
    "s.id = ANY(ARRAY(SELECT id FROM slices WHERE state = 'ready' AND attempts < :max_attempts"
    " AND (not_before IS NULL OR not_before <= now())"
    f" AND run_id <> ALL({PAUSED_RUNS}) AND NOT {FLEET_PAUSED}"
    " ORDER BY {order} LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_TAKE = slice_move(
    SliceEvent.DISPATCH,
    where=_PICK,
    sets="seq = s.seq + 1, dispatched_at = now(), not_before = NULL",
    returning="s.id, s.stage, s.seq",
)
_TAKE_URGENT = text(_TAKE.format(order="priority, created_at"))
_TAKE_OLDEST = text(_TAKE.format(order="created_at"))
_IN_FLIGHT = text(
    "SELECT count(*) FILTER (WHERE state = 'dispatched'), count(*) FILTER (WHERE state = 'running') FROM slices"
    " WHERE state IN ('dispatched', 'running')"
)
_UNSENT = text(slice_move(SliceEvent.NEVER_STARTED, where="s.id = :slice AND s.stage = :stage AND s.seq = :seq"))
_NEVER_STARTED = text(
    slice_move(
        SliceEvent.NEVER_STARTED,
        where="s.dispatched_at < now() - make_interval(secs => :timeout)",
        returning="s.id",
        skip_locked=True,
    )
)
# For the few rows that are not skipped, such as reservations: nothing is dispatched while a sweep waits.
_IMPATIENT = text("SET LOCAL lock_timeout = '2s'")
_INTERRUPTED = text(
    "UPDATE runs SET plan_state = 'interrupted', updated_at = now() WHERE id = ANY(ARRAY(SELECT id FROM runs"
    f" WHERE plan_state = 'planning' AND pg_try_advisory_xact_lock({LOCK_KEY.format(source='source_id')})"
    " FOR NO KEY UPDATE SKIP LOCKED)) AND plan_state = 'planning'"
)


class Dispatch:
    """The part of the ledger that the dispatcher and the sweep use."""

    def __init__(self, engine: Engine, *, max_attempts: int) -> None:
        self._engine = engine
        self._max_attempts = max_attempts

    def take_ready(self, window: int, *, oldest_first: bool, queued: int = 0) -> list[Token]:
        """Mark ready slices as dispatched, as many as ``window`` leaves room for, and return their tokens.

        ``queued`` messages wait at the broker. There may be more of them than dispatched slices: stale ones, that
        nobody has taken off the queue yet.
        """
        with transaction(self._engine) as connection:
            dispatched, running = connection.execute(_IN_FLIGHT).one()
            room = window - running - max(dispatched, queued)
            if room <= 0:
                return []
            take = _TAKE_OLDEST if oldest_first else _TAKE_URGENT
            rows = connection.execute(take, {"limit": room, "max_attempts": self._max_attempts}).all()
        return [Token(row[0], Stage(row[1]), row[2]) for row in rows]

    def put_back(self, token: Token) -> None:
        """Make a slice ready again whose message could not be sent."""
        values = {"slice": token.slice_id, "stage": token.stage.value, "seq": token.seq}
        with transaction(self._engine) as connection:
            connection.execute(_UNSENT, values)

    def sweep(self, dispatch_timeout: float) -> Swept:
        """Bring back what was lost, hold back what is paused, end what was cancelled or ended too often.

        What another transaction holds is left to the next sweep: its worker may be frozen. Each part is committed by
        itself, so one that fails undoes none that came before it.
        """
        with self._sweeping() as connection:
            expired = end_expired(connection, self._max_attempts)
            hold_back(connection)
            never_started = len(connection.execute(_NEVER_STARTED, {"timeout": dispatch_timeout}).all())
            interrupted = connection.execute(_INTERRUPTED).rowcount
        with self._sweeping() as connection:
            end_cancelled(connection, _CANCELLED_PER_SWEEP)
        with self._sweeping() as connection:
            split, given_up = end_exhausted(connection, self._max_attempts)
        return Swept(expired, never_started, split, given_up, interrupted)

    @contextmanager
    def _sweeping(self) -> Iterator[Connection]:
        with transaction(self._engine) as connection:
            connection.execute(_IMPATIENT)
            yield connection
