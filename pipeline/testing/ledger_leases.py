"""The part of a ledger in memory that says who may work on a slice; leases end by its clock."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from pipeline.errors import storable, storable_trace
from pipeline.states import SliceEvent, SliceState
from pipeline.testing.ledger_rows import SliceRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Claim, Stage, Token


class LeasesInMemory:
    """A token is good once, a claim until it is taken over."""

    state: LedgerState

    def claim(self, token: Token, worker: str, lease_seconds: float) -> Claim | None:
        """See the port."""
        with self.state.transaction() as state:
            row = state.slices.get(token.slice_id)
            if row is None or (row.stage, row.seq) != (token.stage, token.seq) or state.is_paused(row.run_id):
                return None
            owner, attempts = uuid4(), row.attempts + 1
            lease_until = state.clock() + lease_seconds
            changes = {"owner": owner, "worker": worker, "lease_until": lease_until, "attempts": attempts}
            if state.move_slice(SliceEvent.CLAIM, row.id, **changes) is None:
                return None
            source = state.sources[state.runs[row.run_id].source_id]
            return Claim(token, owner, row.run_id, source.id, source.scope, attempts, row.version)

    def extend(self, claim: Claim, lease_seconds: float) -> bool:
        """See the port."""
        with self.state.transaction() as state:
            if not state.holds(claim):
                return False
            row = state.slices[claim.token.slice_id]
            state.slices[row.id] = replace(row, lease_until=state.clock() + lease_seconds)
            return True

    def keep_reserved(self, claim: Claim, lease_seconds: float) -> bool:
        """See the port."""
        with self.state.transaction() as state:
            row = _cancelled(state, claim)
            if row is not None:
                state.slices[row.id] = replace(row, not_before=state.clock() + lease_seconds)
            return row is not None

    def is_halted(self, claim: Claim) -> bool:
        """See the port."""
        with self.state.transaction() as state:
            return state.is_paused(claim.run_id)

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
        """See the port."""
        with self.state.transaction() as state:
            if not state.holds(claim):
                _let_go(state, claim)
                return False
            row = state.slices[claim.token.slice_id]
            state.move_slice(
                SliceEvent.HAND_BACK,
                row.id,
                stage=stage or row.stage,
                owner=None,
                lease_until=None,
                not_before=state.clock() + delay_seconds,
                attempts=row.attempts - int(forgive),
                error=error,
                message=storable(message),
                trace=storable_trace(trace),
            )
            return True


def _cancelled(state: LedgerState, claim: Claim) -> SliceRow | None:
    """Return the claim's slice if it was cancelled under its worker, who has not let go of it yet."""
    token, row = claim.token, state.slices.get(claim.token.slice_id)
    if row is None or row.state is not SliceState.CANCELLED or row.not_before is None:
        return None
    return row if (row.stage, row.seq) == (token.stage, token.seq) else None


def _let_go(state: LedgerState, claim: Claim) -> None:
    row = _cancelled(state, claim)
    if row is not None:
        state.slices[row.id] = replace(row, not_before=None)
        state.release_embeddings(row.id)


def advance(state: LedgerState, claim: Claim, following: Stage) -> None:
    """Move the slice to its next stage, whose message the chain now sends. The caller holds the fence."""
    row = state.slices[claim.token.slice_id]
    state.move_slice(
        SliceEvent.ADVANCE,
        row.id,
        stage=following,
        seq=row.seq + 1,
        owner=None,
        lease_until=None,
        attempts=0,
        losses=0,
        lapsed=(),
        not_before=None,
        dispatched_at=state.clock(),
        error="",
        message="",
        trace="",
    )
