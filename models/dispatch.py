"""Give the dispatcher its slices and bring back the ones that got lost; harmless when several do it at once.

Every send bumps ``seq``, so a message that was merely late finds its token stale and dies quietly. A slice whose
stage crashed ``max_attempts`` times is split into slices of one document, so that only the culprit is given up.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Row, text

from models.planning_lock import LOCK_KEY
from models.session import transaction
from models.transitions import document_move, slice_move
from pipeline.states import DocumentEvent, SliceEvent
from pipeline.types import Stage, Token
from pipeline.work import Swept

# ARRAY, for an array is made once: as `IN (SELECT ...)` the planner may run the subquery once per row, and each time
# it skips the rows that it took before, so that LIMIT limits nothing.
_PICK = (
    "s.id = ANY(ARRAY(SELECT id FROM slices WHERE state = 'ready' AND attempts < :max_attempts"
    " AND (not_before IS NULL OR not_before <= now()) ORDER BY {order} LIMIT :limit FOR UPDATE SKIP LOCKED))"
)
_SEND = {"sets": "seq = s.seq + 1, dispatched_at = now(), not_before = NULL", "returning": "s.id, s.stage, s.seq"}
_TAKE_URGENT = text(slice_move(SliceEvent.DISPATCH, where=_PICK.format(order="priority, created_at"), **_SEND))
_TAKE_OLDEST = text(slice_move(SliceEvent.DISPATCH, where=_PICK.format(order="created_at"), **_SEND))
_IN_FLIGHT = text("SELECT count(*) FROM slices WHERE state IN ('dispatched', 'running')")
_UNSENT = text(slice_move(SliceEvent.NEVER_STARTED, where="s.id = :slice AND s.stage = :stage AND s.seq = :seq"))
_NEVER_STARTED = text(
    slice_move(
        SliceEvent.NEVER_STARTED,
        where="s.dispatched_at < now() - make_interval(secs => :timeout)",
        returning="s.id",
    )
)
_LEASE_EXPIRED = text(
    slice_move(
        SliceEvent.LEASE_EXPIRED,
        sets="owner = NULL, lease_until = NULL, not_before = NULL, error = 'LeaseExpired',"
        " message = 'the worker ' || s.worker || ' stopped reporting while it held this slice'",
        where="s.lease_until < now()",
        returning="s.id",
    )
)
_EXHAUSTED = text(
    "SELECT s.id, s.run_id, s.stage, s.priority, s.attempts, s.worker, s.error, s.message FROM slices s"
    " WHERE s.state = 'ready' AND s.attempts >= :max_attempts ORDER BY s.id LIMIT 100 FOR UPDATE SKIP LOCKED"
)
_GIVE_UP = text(slice_move(SliceEvent.GIVE_UP, sets="finished_at = now()", where="s.id = :slice"))
_PENDING = text(
    "SELECT document_id FROM run_documents WHERE slice_id = :slice AND run_id = :run AND outcome = 'pending'"
)
_SPLIT = text(
    "INSERT INTO slices (id, run_id, stage, seq, state, priority)"
    " SELECT id, :run, :stage, 0, 'ready', :priority FROM unnest(CAST(:slices AS uuid[])) AS t(id)"
)
_MOVE_DOCUMENTS = text(
    "UPDATE run_documents rd SET slice_id = t.slice FROM unnest(CAST(:slices AS uuid[]), CAST(:documents AS uuid[]))"
    " AS t(slice, document) WHERE rd.slice_id = :slice AND rd.document_id = t.document"
)
_BURY = text(
    "INSERT INTO dead_letters (id, document_id, run_id, generation, stage, attempts, worker, error, message)"
    " SELECT gen_random_uuid(), rd.document_id, rd.run_id, rd.generation, :stage, :attempts, :worker, :error,"
    " :message FROM run_documents rd WHERE rd.slice_id = :slice AND rd.run_id = :run AND rd.outcome = 'pending'"
)
_FAIL_DOCUMENTS = text(
    document_move(
        DocumentEvent.FAIL,
        sets="error = :error, message = :message",
        source="run_documents rd",
        where="rd.slice_id = :slice AND rd.outcome = 'pending' AND rd.document_id = d.id"
        " AND rd.generation = d.generation",
    )
)
_FAIL_OUTCOMES = text(
    "UPDATE run_documents SET outcome = 'failed', error = :error, message = :message, finished_at = now()"
    " WHERE slice_id = :slice AND outcome = 'pending'"
)
_RELEASE = text("DELETE FROM embeddings WHERE claimed_by = :slice AND vector IS NULL")
_INTERRUPTED = text(
    "UPDATE runs SET plan_state = 'interrupted', updated_at = now() WHERE id IN (SELECT id FROM runs"
    f" WHERE plan_state = 'planning' AND pg_try_advisory_xact_lock({LOCK_KEY.format(source='source_id')}))"
    " AND plan_state = 'planning'"
)


class Dispatch:
    """The part of the ledger that the dispatcher and the sweep use."""

    def __init__(self, engine: Engine, *, max_attempts: int) -> None:
        self._engine = engine
        self._max_attempts = max_attempts

    def take_ready(self, window: int, *, oldest_first: bool) -> list[Token]:
        """Mark ready slices as dispatched, at most as many as ``window`` leaves room for, and return their tokens."""
        with transaction(self._engine) as connection:
            room = window - connection.execute(_IN_FLIGHT).scalar_one()
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
        """Bring back slices whose lease expired or whose message was lost; give up on the exhausted ones."""
        with transaction(self._engine) as connection:
            expired = len(connection.execute(_LEASE_EXPIRED).all())
            never_started = len(connection.execute(_NEVER_STARTED, {"timeout": dispatch_timeout}).all())
            exhausted = connection.execute(_EXHAUSTED, {"max_attempts": self._max_attempts}).all()
            split = sum(_split_or_bury(connection, row) for row in exhausted)
            interrupted = connection.execute(_INTERRUPTED).rowcount
        return Swept(expired, never_started, split, len(exhausted) - split, interrupted)


def _split_or_bury(connection: Connection, row: Row[Any]) -> bool:
    values = row._asdict() | {"slice": row.id, "run": row.run_id}
    documents = list(connection.execute(_PENDING, values).scalars())
    is_split = len(documents) > 1
    if is_split:
        slices = [uuid4() for _ in documents]
        connection.execute(_SPLIT, values | {"slices": slices})
        connection.execute(_MOVE_DOCUMENTS, values | {"slices": slices, "documents": documents})
    else:
        connection.execute(_BURY, values)
        connection.execute(_FAIL_DOCUMENTS, values)
        connection.execute(_FAIL_OUTCOMES, values)
    connection.execute(_RELEASE, values)
    connection.execute(_GIVE_UP, values)
    return is_split
