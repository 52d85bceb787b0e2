"""The part of a ledger in memory that gives the dispatcher its slices and brings back the ones that got lost."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from pipeline.states import PlanState, SliceEvent, SliceState
from pipeline.testing.ledger_rows import DeadLetterRow, SliceRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Priority, Token
from pipeline.work import Swept

_IN_FLIGHT = frozenset({SliceState.DISPATCHED, SliceState.RUNNING})
_URGENCY = {priority: rank for rank, priority in enumerate(Priority)}


class DispatchInMemory:
    """Every send bumps ``seq``; what crashed too often is split until the culprit is alone, and then buried."""

    state: LedgerState
    max_attempts: int

    def take_ready(self, window: int, *, oldest_first: bool) -> list[Token]:
        """See the port."""
        with self.state.transaction() as state:
            room = window - sum(row.state in _IN_FLIGHT for row in state.slices.values())
            # Rows stand in the order they came, and sorting keeps it among equals.
            ready = sorted((row for row in state.slices.values() if self._is_due(row)), key=lambda row: row.created_at)
            if not oldest_first:
                ready.sort(key=lambda row: _URGENCY[row.priority])
            tokens: list[Token] = []
            for row in ready[: max(0, room)]:
                state.move_slice(
                    SliceEvent.DISPATCH, row.id, seq=row.seq + 1, dispatched_at=state.clock(), not_before=None
                )
                tokens.append(Token(row.id, row.stage, row.seq + 1))
            return tokens

    def put_back(self, token: Token) -> None:
        """See the port."""
        with self.state.transaction() as state:
            row = state.slices.get(token.slice_id)
            if row is not None and (row.stage, row.seq) == (token.stage, token.seq):
                state.move_slice(SliceEvent.NEVER_STARTED, row.id)

    def sweep(self, dispatch_timeout: float) -> Swept:
        """See the port."""
        with self.state.transaction() as state:
            expired = sum(_bring_back_expired(state, row) for row in list(state.slices.values()))
            lost = [row for row in state.slices.values() if _is_lost(row, state.clock() - dispatch_timeout)]
            never_started = sum(state.move_slice(SliceEvent.NEVER_STARTED, row.id) is not None for row in lost)
            exhausted = [row for row in state.slices.values() if self._is_exhausted(row)]
            split = sum(_split_or_bury(state, row) for row in exhausted)
            interrupted = _interrupt_left_plans(state)
        return Swept(expired, never_started, split, len(exhausted) - split, interrupted)

    def _is_exhausted(self, row: SliceRow) -> bool:
        return row.state is SliceState.READY and row.attempts >= self.max_attempts

    def _is_due(self, row: SliceRow) -> bool:
        if row.state is not SliceState.READY or row.attempts >= self.max_attempts:
            return False
        return row.not_before is None or row.not_before <= self.state.clock()


def _interrupt_left_plans(state: LedgerState) -> int:
    """End the plans whose producers are gone, and return how many there were."""
    left = [
        run
        for run in state.runs.values()
        if run.plan_state is PlanState.PLANNING and run.source_id not in state.planners
    ]
    for run in left:
        state.runs[run.id] = replace(run, plan_state=PlanState.INTERRUPTED)
    return len(left)


def _bring_back_expired(state: LedgerState, row: SliceRow) -> bool:
    if row.lease_until is None or row.lease_until >= state.clock():
        return False
    moved = state.move_slice(
        SliceEvent.LEASE_EXPIRED,
        row.id,
        owner=None,
        lease_until=None,
        not_before=None,
        error="LeaseExpired",
        message=f"the worker {row.worker} stopped reporting while it held this slice",
    )
    return moved is not None


def _is_lost(row: SliceRow, before: float) -> bool:
    return row.state is SliceState.DISPATCHED and row.dispatched_at is not None and row.dispatched_at < before


def _split_or_bury(state: LedgerState, row: SliceRow) -> bool:
    """Give each document a slice of its own, or give up on the only one; return whether it was split."""
    pending = state.pending(row.id, row.run_id)
    is_split = len(pending) > 1
    if is_split:
        for each, _ in pending:
            part = SliceRow(uuid4(), row.run_id, row.stage, row.priority, state.clock())
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
            )
        state.fail(row.id, {each.document_id: (row.error, row.message) for each, _ in state.pending(row.id)})
    state.release_embeddings(row.id)
    state.move_slice(SliceEvent.GIVE_UP, row.id, finished_at=state.clock())
    return is_split
