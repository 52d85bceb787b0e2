"""The operators' side of a ledger in memory: what is cancelled or paused, and what that does to slices."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from pipeline.control import RunEnded, UnknownRun
from pipeline.states import DocumentEvent, Outcome, PlanState, SliceEvent, SliceState
from pipeline.testing.ledger_rows import DocumentRow, RunDocumentRow, RunRow, SliceRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Stage

_UNFINISHED = frozenset({SliceState.READY, SliceState.DISPATCHED, SliceState.RUNNING})


class FakeControl:
    """Implements ``pipeline.ports.Control`` over the state of a `FakeLedger`."""

    def __init__(self, state: LedgerState) -> None:
        self.state = state

    def cancel(self, tenant: str, run_id: UUID) -> None:
        """See the port."""
        with self.state.transaction() as state:
            run = _found(state, tenant, run_id)
            if run.cancelled_at is None and not _is_open(state, run):
                raise RunEnded
            plan = PlanState.INTERRUPTED if run.plan_state is PlanState.PLANNING else run.plan_state
            cancelled_at = state.clock() if run.cancelled_at is None else run.cancelled_at
            state.runs[run_id] = replace(run, cancelled_at=cancelled_at, paused_at=None, plan_state=plan)
            end_cancelled(state)

    def pause(self, tenant: str, run_id: UUID) -> None:
        """See the port."""
        self._set_pause(tenant, run_id, self.state.clock())

    def resume(self, tenant: str, run_id: UUID) -> None:
        """See the port."""
        self._set_pause(tenant, run_id, None)

    def pause_fleet(self) -> None:
        """See the port."""
        with self.state.transaction() as state:
            state.fleet_pauses.setdefault(1, state.clock())
            hold_back(state)

    def resume_fleet(self) -> None:
        """See the port."""
        with self.state.transaction() as state:
            state.fleet_pauses.clear()

    def is_fleet_paused(self) -> bool:
        """See the port."""
        with self.state.transaction() as state:
            return bool(state.fleet_pauses)

    def _set_pause(self, tenant: str, run_id: UUID, paused_at: float | None) -> None:
        with self.state.transaction() as state:
            run = _found(state, tenant, run_id)
            if run.cancelled_at is not None or not _is_open(state, run):
                raise RunEnded
            since = run.paused_at if paused_at is not None and run.paused_at is not None else paused_at
            state.runs[run_id] = replace(run, paused_at=since)
            hold_back(state)


def hold_back(state: LedgerState) -> None:
    """Make paused slices ready that were sent and not started."""
    for row in [row for row in state.slices.values() if state.is_paused(row.run_id)]:
        state.move_slice(SliceEvent.HOLD, row.id)


def end_cancelled(state: LedgerState) -> None:
    """End what cancelled runs have not brought in yet; a new generation without content overtakes who is at it."""
    for each in list(state.run_documents.values()):
        if each.outcome is not Outcome.PENDING or state.runs[each.run_id].cancelled_at is None:
            continue
        row = state.slices[each.slice_id] if each.slice_id is not None else None
        document = state.documents[each.document_id]
        if row is None or row.run_id != each.run_id:
            state.end(each, Outcome.CANCELLED)
        elif row.state in _UNFINISHED and _may_end(state, each, document):
            state.end(each, Outcome.CANCELLED)
            if document.generation == each.generation:
                state.move_document(DocumentEvent.CANCEL, document.id, generation=document.generation + 1)
            state.chunk_sets.pop((document.id, each.generation), None)
    for ended in [row for row in state.slices.values() if _is_over(state, row)]:
        not_before = ended.lease_until if ended.stage is Stage.EMBED else None
        changes = {
            "not_before": not_before,
            "owner": None,
            "lease_until": None,
            "error": "",
            "message": "",
            "trace": "",
        }
        state.move_slice(SliceEvent.CANCEL, ended.id, finished_at=state.clock(), **changes)
        # What a worker may have in flight stays reserved, or the next run would buy it a second time beside it.
        if not state.is_buying(ended.id):
            state.release_embeddings(ended.id)


def _may_end(state: LedgerState, row: RunDocumentRow, document: DocumentRow) -> bool:
    """Return whether the index was not switched to it yet, and nobody else waits for it."""
    if document.generation == row.generation == document.committed_generation:
        return False
    return not any(
        other.outcome is Outcome.PENDING and other.slice_id == row.slice_id and other.document_id == row.document_id
        for other in state.run_documents.values()
        if other.run_id != row.run_id
    )


def _is_over(state: LedgerState, row: SliceRow) -> bool:
    is_cancelled = state.runs[row.run_id].cancelled_at is not None
    return is_cancelled and row.state in _UNFINISHED and not state.pending(row.id)


def _is_open(state: LedgerState, run: RunRow) -> bool:
    if run.plan_state is PlanState.PLANNING:
        return True
    return any(row.outcome is Outcome.PENDING for row in state.run_documents.values() if row.run_id == run.id)


def _found(state: LedgerState, tenant: str, run_id: UUID) -> RunRow:
    run = state.runs.get(run_id)
    if run is None or state.sources[run.source_id].tenant != tenant:
        raise UnknownRun(f"there is no run {run_id} in tenant {tenant!r}; `mobius runs` lists the ones there are.")
    return run
