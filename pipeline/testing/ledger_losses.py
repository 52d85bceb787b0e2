"""The part of a ledger in memory that decides what becomes of a slice whose worker process ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from pipeline.crashes import Crash
from pipeline.errors import storable, storable_trace
from pipeline.states import SliceEvent, SliceState
from pipeline.testing.ledger_rows import DeadLetterRow, SliceRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Token

#: Longest delay after one attempt more, and after one loss more (s).
_LONGEST_AFTER_ATTEMPT = 60.0
_LONGEST_AFTER_LOSS = 300.0
_UNFINISHED = frozenset({SliceState.READY, SliceState.DISPATCHED, SliceState.RUNNING})


class LossesInMemory:
    """An end that speaks against the slice is an attempt; one that nothing speaks for is a loss."""

    state: LedgerState
    max_attempts: int

    def report_crash(self, token: Token, worker: str, crash: Crash, retry_seconds: float) -> bool:
        """See the port."""
        with self.state.transaction() as state:
            row = state.slices.get(token.slice_id)
            if row is None or row.stage is not token.stage:
                return False
            what: dict[str, Any] = {
                "error": crash.error,
                "message": storable(crash.message),
                "trace": storable_trace(crash.trace),
            }
            if (row.state, row.seq, row.worker) == (SliceState.RUNNING, token.seq, worker):
                delay = min(_LONGEST_AFTER_ATTEMPT, retry_seconds * 2.0 ** min(row.attempts - 1, 10))
                counted: dict[str, Any] = {"not_before": state.clock() + delay}
                if not crash.is_evidence:
                    counted = _loss(state, row, self.max_attempts)
                state.move_slice(SliceEvent.CRASH, row.id, owner=None, lease_until=None, **what, **counted)
                return True
            if crash.is_evidence and worker in row.lapsed and row.seq >= token.seq and row.state in _UNFINISHED:
                lapsed = tuple(each for each in row.lapsed if each != worker)
                state.slices[row.id] = replace(row, attempts=row.attempts + 1, lapsed=lapsed, **what)
            return False


def end_expired(state: LedgerState, max_attempts: int) -> int:
    """Take slices back whose lease is over, as losses, and return how many there were."""
    expired = [
        row
        for row in state.slices.values()
        if row.state is SliceState.RUNNING and row.lease_until is not None and row.lease_until < state.clock()
    ]
    for row in expired:
        state.move_slice(
            SliceEvent.LEASE_EXPIRED,
            row.id,
            owner=None,
            lease_until=None,
            lapsed=(*row.lapsed, row.worker),
            error="LeaseExpired",
            message=f"the worker {row.worker} stopped reporting while it held this slice",
            **_loss(state, row, max_attempts),
        )
    return len(expired)


def end_exhausted(state: LedgerState, max_attempts: int) -> tuple[int, int]:
    """Split or bury what ended too often; return how many slices were split, and how many given up."""
    exhausted = [
        row
        for row in state.slices.values()
        if row.state is SliceState.READY
        and (
            row.attempts >= max_attempts or (row.losses >= max_attempts and len(state.pending(row.id, row.run_id)) > 1)
        )
    ]
    split = sum(_split_or_bury(state, row) for row in exhausted)
    return split, len(exhausted) - split


def _loss(state: LedgerState, row: SliceRow, max_attempts: int) -> dict[str, Any]:
    """Return what a loss changes: it is forgiven, and from the limit on the next try waits longer each time."""
    losses = row.losses + 1
    delay = min(_LONGEST_AFTER_LOSS, 5.0 * 2.0 ** min(losses - max_attempts, 10))
    not_before = state.clock() + delay if losses >= max_attempts else None
    return {"attempts": row.attempts - 1, "losses": losses, "not_before": not_before}


def _split_or_bury(state: LedgerState, row: SliceRow) -> bool:
    """Give each document a slice of its own, or give up on the only one; return whether it was split."""
    pending = state.pending(row.id, row.run_id)
    is_split = len(pending) > 1
    if is_split:
        for each, _ in pending:
            part = SliceRow(uuid4(), row.run_id, row.stage, row.priority, state.clock(), version=row.version)
            state.slices[part.id] = part
            for key, waiting in list(state.run_documents.items()):
                if (waiting.slice_id, waiting.document_id) == (row.id, each.document_id):
                    state.run_documents[key] = replace(waiting, slice_id=part.id)
    else:
        for each, _ in pending:
            state.dead_letters[len(state.dead_letters)] = DeadLetterRow(
                each.document_id,
                each.run_id,
                each.generation,
                row.stage,
                row.attempts,
                row.worker,
                row.error,
                row.message,
                row.trace,
            )
        state.fail(row.id, {each.document_id: (row.error, row.message) for each, _ in state.pending(row.id)})
    state.release_embeddings(row.id)
    state.move_slice(SliceEvent.GIVE_UP, row.id, finished_at=state.clock())
    return is_split
