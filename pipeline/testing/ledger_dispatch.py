"""The part of a ledger in memory that gives the dispatcher its slices and brings back the ones that got lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pipeline.states import PlanState, SliceEvent, SliceState
from pipeline.testing.ledger_control import end_cancelled, hold_back
from pipeline.testing.ledger_losses import end_exhausted, end_expired
from pipeline.testing.ledger_rows import SliceRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Priority, Token
from pipeline.work import Swept

_URGENCY = {priority: rank for rank, priority in enumerate(Priority)}


class DispatchInMemory:
    """Every send bumps ``seq``."""

    state: LedgerState
    max_attempts: int

    def take_ready(self, window: int, *, oldest_first: bool, queued: int = 0) -> list[Token]:
        """See the port."""
        with self.state.transaction() as state:
            states = Counter(row.state for row in state.slices.values())
            room = window - states[SliceState.RUNNING] - max(states[SliceState.DISPATCHED], queued)
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
            expired = end_expired(state, self.max_attempts)
            hold_back(state)
            lost = [row for row in state.slices.values() if _is_lost(row, state.clock() - dispatch_timeout)]
            never_started = sum(state.move_slice(SliceEvent.NEVER_STARTED, row.id) is not None for row in lost)
            end_cancelled(state)
            split, given_up = end_exhausted(state, self.max_attempts)
            interrupted = _interrupt_left_plans(state)
        return Swept(expired, never_started, split, given_up, interrupted)

    def close(self) -> None:
        """See the port."""

    def _is_due(self, row: SliceRow) -> bool:
        if row.state is not SliceState.READY or row.attempts >= self.max_attempts:
            return False
        if self.state.is_paused(row.run_id):
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


def _is_lost(row: SliceRow, before: float) -> bool:
    return row.state is SliceState.DISPATCHED and row.dispatched_at is not None and row.dispatched_at < before
