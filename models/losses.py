"""What becomes of a slice whose worker process ended: tried again, split until the culprit is alone, or buried.

An end that speaks against the slice is an attempt. One that nothing speaks for is a loss: it is forgiven. Both split a
slice when there were ``max_attempts`` of them, for a split harms nobody; only attempts bury, and only a document
that was alone. A document that is lost time and again while it is alone is tried again ever more rarely.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

from models.session import transaction
from models.transitions import document_move, slice_move
from pipeline.crashes import Crash
from pipeline.errors import storable, storable_trace
from pipeline.states import DocumentEvent, SliceEvent
from pipeline.types import Token

#: Longest delay after one attempt more, and after one loss more (s).
_LONGEST_AFTER_ATTEMPT = 60
_LONGEST_AFTER_LOSS = 300
_AFTER_ATTEMPT = (
    f"now() + make_interval(secs => least({_LONGEST_AFTER_ATTEMPT}, :retry * 2 ^ least(s.attempts - 1, 10)))"
)
# None for the first ones: whoever restarts a worker does not wait. The exponent is bounded, for 2 ^ 1024 is an error.
_AFTER_LOSS = (
    "CASE WHEN s.losses + 1 >= :max_attempts THEN now() + make_interval(secs =>"
    f" least({_LONGEST_AFTER_LOSS}, 5 * 2 ^ least(s.losses + 1 - :max_attempts, 10))) END"
)
_LEASE_EXPIRED = text(
    slice_move(
        SliceEvent.LEASE_EXPIRED,
        sets="owner = NULL, lease_until = NULL, attempts = s.attempts - 1, losses = s.losses + 1,"
        f" lapsed = s.lapsed || s.worker, not_before = {_AFTER_LOSS}, error = 'LeaseExpired',"
        " message = 'the worker ' || s.worker || ' stopped reporting while it held this slice'",
        where="s.lease_until < now()",
        returning="s.id",
        skip_locked=True,
    )
)
_WHAT = "owner = NULL, lease_until = NULL, error = :error, message = :message, trace = :trace"
_THIS_CLAIM = "s.id = :slice AND s.stage = :stage AND s.seq = :seq AND s.worker = :worker"
_CRASHED = text(slice_move(SliceEvent.CRASH, sets=f"{_WHAT}, not_before = {_AFTER_ATTEMPT}", where=_THIS_CLAIM))
_LOST = text(
    slice_move(
        SliceEvent.CRASH,
        sets=f"{_WHAT}, attempts = s.attempts - 1, losses = s.losses + 1, not_before = {_AFTER_LOSS}",
        where=_THIS_CLAIM,
    )
)
# A process that hangs in C code sends no heartbeats: its lease ended, as a loss, long before its time limit did.
_CRASHED_LATE = text(
    "UPDATE slices SET attempts = attempts + 1, error = :error, message = :message, trace = :trace,"
    " lapsed = array_remove(lapsed, :worker), updated_at = now()"
    " WHERE id = :slice AND stage = :stage AND seq >= :seq AND :worker = ANY(lapsed)"
    " AND state IN ('ready', 'dispatched', 'running')"
)
_EXHAUSTED = text(
    "SELECT s.id, s.run_id, s.stage, s.priority, s.version, s.attempts, s.worker, s.error, s.message, s.trace"
    " FROM slices s WHERE s.state = 'ready'"
    " AND (s.attempts >= :max_attempts OR s.losses >= :max_attempts AND (SELECT count(*)"
    " FROM run_documents rd WHERE rd.slice_id = s.id AND rd.run_id = s.run_id AND rd.outcome = 'pending') > 1)"
    " ORDER BY s.id LIMIT 100 FOR UPDATE SKIP LOCKED"
)
_GIVE_UP = text(slice_move(SliceEvent.GIVE_UP, sets="finished_at = now()", where="s.id = :slice"))
_PENDING = text(
    "SELECT document_id FROM run_documents WHERE slice_id = :slice AND run_id = :run AND outcome = 'pending'"
)
_SPLIT = text(
    "INSERT INTO slices (id, run_id, stage, seq, state, priority, version)"
    " SELECT id, :run, :stage, 0, 'ready', :priority, :version FROM unnest(CAST(:slices AS uuid[])) AS t(id)"
)
_MOVE_DOCUMENTS = text(
    "UPDATE run_documents rd SET slice_id = t.slice FROM unnest(CAST(:slices AS uuid[]), CAST(:documents AS uuid[]))"
    " AS t(slice, document) WHERE rd.slice_id = :slice AND rd.document_id = t.document"
)
_LOCK_PENDING = text("SELECT d.id FROM documents d WHERE d.id = ANY(CAST(:documents AS uuid[])) FOR UPDATE SKIP LOCKED")
_BURY = text(
    "INSERT INTO dead_letters (id, document_id, run_id, generation, stage, attempts, worker, error, message, trace)"
    " SELECT gen_random_uuid(), rd.document_id, rd.run_id, rd.generation, :stage, :attempts, :worker, :error,"
    " :message, :trace FROM run_documents rd WHERE rd.slice_id = :slice AND rd.run_id = :run"
    " AND rd.outcome = 'pending'"
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
RELEASE = text("DELETE FROM embeddings WHERE claimed_by = :slice AND vector IS NULL")


class Losses:
    """The part of the ledger that a worker's parent process uses when one of its children ended."""

    def __init__(self, engine: Engine, *, max_attempts: int) -> None:
        self._engine = engine
        self._max_attempts = max_attempts

    def report_crash(self, token: Token, worker: str, crash: Crash, retry_seconds: float) -> bool:
        """Take a slice back from a process that is gone; False if that process held no claim on it any more."""
        values = {
            "slice": token.slice_id,
            "stage": token.stage.value,
            "seq": token.seq,
            "worker": worker,
            "error": crash.error,
            "message": storable(crash.message),
            "trace": storable_trace(crash.trace),
            "retry": retry_seconds,
            "max_attempts": self._max_attempts,
        }
        with transaction(self._engine) as connection:
            taken_back = connection.execute(_CRASHED if crash.is_evidence else _LOST, values).rowcount == 1
            if not taken_back and crash.is_evidence:
                connection.execute(_CRASHED_LATE, values)
        return taken_back


def end_expired(connection: Connection, max_attempts: int) -> int:
    """Take slices back whose lease is over, as losses, and return how many there were.

    One whose worker is committing it is left to a later sweep, which finds what that worker made of it. So nobody
    waits for a worker that is frozen in its transaction.
    """
    return len(connection.execute(_LEASE_EXPIRED, {"max_attempts": max_attempts}).all())


def end_exhausted(connection: Connection, max_attempts: int) -> tuple[int, int]:
    """Split or bury what ended too often; return how many slices were split, and how many given up."""
    split = given_up = 0
    for row in connection.execute(_EXHAUSTED, {"max_attempts": max_attempts}).all():
        values = row._asdict() | {"slice": row.id, "run": row.run_id}
        values["documents"] = list(connection.execute(_PENDING, values).scalars())
        if len(values["documents"]) > 1:
            _split(connection, values)
            split += 1
        elif _bury(connection, values):
            given_up += 1
    return split, given_up


def _split(connection: Connection, values: dict[str, Any]) -> None:
    values = values | {"slices": [uuid4() for _ in values["documents"]]}
    connection.execute(_SPLIT, values)
    connection.execute(_MOVE_DOCUMENTS, values)
    _end(connection, values)


def _bury(connection: Connection, values: dict[str, Any]) -> bool:
    """Give the slice up; False if its document is held by another transaction: the next sweep does it."""
    locked = connection.execute(_LOCK_PENDING, values).all()
    if len(locked) < len(values["documents"]):
        return False
    connection.execute(_BURY, values)
    connection.execute(_FAIL_DOCUMENTS, values)
    connection.execute(_FAIL_OUTCOMES, values)
    _end(connection, values)
    return True


def _end(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(RELEASE, values)
    connection.execute(_GIVE_UP, values)
