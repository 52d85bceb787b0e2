"""Claim a stage of a slice, keep the claim alive, hand it back; every later write is fenced by the claim.

A claim matches (slice, stage, seq) in one UPDATE, so a stale or duplicate message claims nothing. ``owner`` is
fresh for each claim: a worker that wakes up after its lease was taken over finds that it may write nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from sqlalchemy import Connection, Engine, text

from models.pausing import PAUSED
from models.session import NOTIFY, transaction
from models.transitions import document_move, slice_move
from pipeline.errors import ClaimLost, storable, storable_trace
from pipeline.states import DocumentEvent, SliceEvent
from pipeline.types import Claim, Failure, Scope, Stage, Token

_CLAIM = text(
    slice_move(
        SliceEvent.CLAIM,
        sets="owner = :owner, worker = :worker, lease_until = now() + make_interval(secs => :lease),"
        " attempts = s.attempts + 1",
        source="runs r JOIN sources src ON src.id = r.source_id JOIN projects p ON p.id = src.project_id",
        where=f"r.id = s.run_id AND s.id = :slice AND s.stage = :stage AND s.seq = :seq AND NOT ({PAUSED})",
        returning="s.run_id, r.source_id, p.id, p.tenant_id, s.attempts, s.version",
    )
)
_EXTEND = text(
    "UPDATE slices SET lease_until = now() + make_interval(secs => :lease) WHERE id = :slice AND owner = :owner"
)
_IS_HALTED = text(f"SELECT {PAUSED} FROM runs r WHERE r.id = :run")
_HAND_BACK = text(
    slice_move(
        SliceEvent.HAND_BACK,
        sets="owner = NULL, lease_until = NULL, not_before = now() + make_interval(secs => :delay),"
        " attempts = s.attempts - :forgiven, error = :error, message = :message, trace = :trace,"
        " stage = coalesce(CAST(:stage AS text), s.stage)",
        where="s.id = :slice AND s.owner = :owner",
    )
)
_OF_CANCELLED = (
    "s.id = :slice AND s.stage = :stage AND s.seq = :seq AND s.state = 'cancelled' AND s.not_before IS NOT NULL"
)
_KEEP_RESERVED = text(f"UPDATE slices s SET not_before = now() + make_interval(secs => :lease) WHERE {_OF_CANCELLED}")
_LET_GO = text(f"UPDATE slices s SET not_before = NULL WHERE {_OF_CANCELLED}")
#: Forgets what a slice had reserved and not bought.
RELEASE = text("DELETE FROM embeddings WHERE claimed_by = :slice AND vector IS NULL")
#: Of a slice that the statement calls ``s``: what it has reserved may be in flight to the provider. A cancelled one is
#: held by nobody, so it says in ``not_before`` until when.
IS_BUYING = "(s.state = 'running' AND s.lease_until > now() OR s.state = 'cancelled' AND s.not_before > now())"
_FENCE = text("SELECT 1 FROM slices WHERE id = :slice AND owner = :owner FOR UPDATE")
_ADVANCE = text(
    slice_move(
        SliceEvent.ADVANCE,
        sets="stage = :next, seq = s.seq + 1, owner = NULL, lease_until = NULL, attempts = 0, losses = 0,"
        " lapsed = '{}', not_before = NULL, dispatched_at = now(), error = '', message = '', trace = ''",
        where="s.id = :slice AND s.owner = :owner",
    )
)
_FINISH = text(
    slice_move(
        SliceEvent.FINISH,
        sets="owner = NULL, lease_until = NULL, finished_at = now(), error = '', message = '', trace = ''",
        where="s.id = :slice AND s.owner = :owner",
    )
)

_FAIL_OUTCOMES = text(
    "UPDATE run_documents rd SET outcome = 'failed', error = f.error, message = f.message, finished_at = now()"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:errors AS text[]), CAST(:messages AS text[])) AS f(id, error, message)"
    " WHERE rd.slice_id = :slice AND rd.document_id = f.id AND rd.outcome = 'pending'"
)
_FAIL_DOCUMENTS = text(
    document_move(
        DocumentEvent.FAIL,
        sets="error = rd.error, message = rd.message",
        source="run_documents rd",
        where="rd.document_id = d.id AND rd.generation = d.generation AND rd.slice_id = :slice"
        " AND rd.outcome = 'failed' AND d.id = ANY(CAST(:ids AS uuid[]))",
    )
)


class Leases:
    """The part of the ledger that says who may work on a slice."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(self, token: Token, worker: str, lease_seconds: float) -> Claim | None:
        """Claim what the token allows; None if it is stale or a duplicate."""
        owner = uuid4()
        values = {"owner": owner, "worker": worker, "lease": lease_seconds, **_token(token)}
        with transaction(self._engine) as connection:
            row = connection.execute(_CLAIM, values).one_or_none()
        if row is None:
            return None
        run_id, source_id, project_id, tenant_id, attempts, version = row
        return Claim(token, owner, run_id, source_id, Scope(tenant_id, project_id), attempts, version)

    def extend(self, claim: Claim, lease_seconds: float) -> bool:
        """Extend the lease; False if it was taken over."""
        with transaction(self._engine) as connection:
            values = {"slice": claim.token.slice_id, "owner": claim.owner, "lease": lease_seconds}
            return connection.execute(_EXTEND, values).rowcount == 1

    def keep_reserved(self, claim: Claim, lease_seconds: float) -> bool:
        """Keep a cancelled slice's reservations while the calls of its worker are in flight; False: not cancelled."""
        with transaction(self._engine) as connection:
            values = {**_token(claim.token), "lease": lease_seconds}
            return connection.execute(_KEEP_RESERVED, values).rowcount == 1

    def is_halted(self, claim: Claim) -> bool:
        """Return whether the claim's run, or the whole fleet, is paused."""
        with transaction(self._engine) as connection:
            return bool(connection.execute(_IS_HALTED, {"run": claim.run_id}).scalar())

    def hand_back(
        self,
        claim: Claim,
        error: str,
        message: str,
        delay_seconds: float,
        *,
        forgive: bool,
        trace: str = "",
        stage: Stage | None = None,
    ) -> bool:
        """Give the slice back to be tried again after a delay; ``forgive``: this was no attempt.

        ``stage`` is the one to begin again at; None: the claim's.
        False if the claim was lost meanwhile, which is as good. What a cancelled slice had reserved is free then.
        """
        values = {**_owned(claim), "delay": delay_seconds, "forgiven": int(forgive), "error": error}
        texts = {"message": storable(message), "trace": storable_trace(trace), "stage": stage and stage.value}
        with transaction(self._engine) as connection:
            is_held = connection.execute(_HAND_BACK, {**values, **texts}).rowcount == 1
            if not is_held and connection.execute(_LET_GO, _token(claim.token)).rowcount:
                connection.execute(RELEASE, {"slice": claim.token.slice_id})
        return is_held


def work_of(claim: Claim) -> dict[str, object]:
    """Return what finds the claim's documents, once each: other runs may wait for the same slice."""
    return {"slice": claim.token.slice_id, "run": claim.run_id}


def fence(connection: Connection, claim: Claim) -> None:
    """Hold the claim's row for the rest of the transaction.

    Raises:
        ClaimLost: The lease was taken over.
    """
    if connection.execute(_FENCE, _owned(claim)).one_or_none() is None:
        raise ClaimLost


def advance(connection: Connection, claim: Claim, following: Stage) -> None:
    """Move the slice to its next stage, whose message the chain now sends. The caller holds the fence."""
    if connection.execute(_ADVANCE, {**_owned(claim), "next": following.value}).rowcount != 1:
        raise ClaimLost


def finish(connection: Connection, claim: Claim) -> None:
    """End the slice and wake the dispatcher, whose window has room now. The caller holds the fence."""
    if connection.execute(_FINISH, _owned(claim)).rowcount != 1:
        raise ClaimLost
    connection.execute(NOTIFY)


def record_failures(connection: Connection, claim: Claim, failures: Sequence[Failure]) -> None:
    """Mark documents of the claimed slice as failed, with the class and the message of what went wrong."""
    if not failures:
        return
    ids = [failure.document_id for failure in failures]
    values = {
        "slice": claim.token.slice_id,
        "ids": ids,
        "errors": [failure.error for failure in failures],
        "messages": [storable(failure.message) for failure in failures],
    }
    connection.execute(_FAIL_OUTCOMES, values)
    connection.execute(_FAIL_DOCUMENTS, {"slice": claim.token.slice_id, "ids": ids})


def _token(token: Token) -> dict[str, object]:
    return {"slice": token.slice_id, "stage": token.stage.value, "seq": token.seq}


def _owned(claim: Claim) -> dict[str, object]:
    return {"slice": claim.token.slice_id, "owner": claim.owner}
