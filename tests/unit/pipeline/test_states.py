"""The transition tables are complete and keep their promises, and a run's state follows from its parts."""

from __future__ import annotations

import pytest

from pipeline.states import (
    DOCUMENT_TRANSITIONS,
    SLICE_TRANSITIONS,
    DocumentEvent,
    DocumentState,
    Hold,
    Outcome,
    PlanState,
    RunState,
    SliceEvent,
    SliceState,
    run_state,
)


def test_every_event_has_its_row() -> None:
    assert set(SLICE_TRANSITIONS) == set(SliceEvent)
    assert set(DOCUMENT_TRANSITIONS) == set(DocumentEvent)


def test_nothing_leads_out_of_the_end_of_a_slice() -> None:
    ends = {SliceState.DONE, SliceState.FAILED, SliceState.CANCELLED}
    assert all(not origins & ends for origins, _ in SLICE_TRANSITIONS.values())


@pytest.mark.parametrize("state", [SliceState.READY, SliceState.DISPATCHED, SliceState.RUNNING])
def test_a_slice_gets_to_its_end_from_anywhere(state: SliceState) -> None:
    reached, frontier = {state}, {state}
    while frontier:
        frontier = {target for origins, target in SLICE_TRANSITIONS.values() if origins & frontier} - reached
        reached |= frontier
    assert SliceState.DONE in reached


def test_only_what_is_dispatched_can_be_claimed_and_only_what_runs_is_held() -> None:
    assert SLICE_TRANSITIONS[SliceEvent.CLAIM] == ({SliceState.DISPATCHED}, SliceState.RUNNING)
    into_running = [event for event, (_, target) in SLICE_TRANSITIONS.items() if target is SliceState.RUNNING]
    assert into_running == [SliceEvent.CLAIM]


def test_a_document_is_indexed_only_from_pending_and_deleted_only_from_deleting() -> None:
    assert DOCUMENT_TRANSITIONS[DocumentEvent.INDEX] == ({DocumentState.PENDING}, DocumentState.INDEXED)
    assert DOCUMENT_TRANSITIONS[DocumentEvent.DELETE] == ({DocumentState.DELETING}, DocumentState.DELETED)


def test_a_new_revision_is_accepted_in_whatever_state_a_document_is() -> None:
    assert DOCUMENT_TRANSITIONS[DocumentEvent.ACCEPT][0] == set(DocumentState)


@pytest.mark.parametrize(
    ("plan", "outcomes", "withheld", "state"),
    [
        (PlanState.PLANNING, {}, False, RunState.PLANNING),
        (PlanState.PLANNING, {Outcome.FAILED: 1}, True, RunState.PLANNING),
        (PlanState.PLANNED, {}, False, RunState.SUCCEEDED),
        (PlanState.PLANNED, {Outcome.INDEXED: 3, Outcome.DELETED: 1, Outcome.SUPERSEDED: 1}, False, RunState.SUCCEEDED),
        (PlanState.PLANNED, {Outcome.INDEXED: 3, Outcome.PENDING: 1}, False, RunState.RUNNING),
        (PlanState.PLANNED, {Outcome.FAILED: 1, Outcome.PENDING: 1}, True, RunState.RUNNING),
        (PlanState.PLANNED, {Outcome.INDEXED: 3, Outcome.FAILED: 1}, False, RunState.FAILED),
        (PlanState.PLANNED, {Outcome.FAILED: 1}, True, RunState.FAILED),
        (PlanState.PLANNED, {Outcome.INDEXED: 3}, True, RunState.INCOMPLETE),
        (PlanState.INTERRUPTED, {Outcome.INDEXED: 3}, False, RunState.INCOMPLETE),
        (PlanState.INTERRUPTED, {Outcome.PENDING: 3}, False, RunState.RUNNING),
        (PlanState.INTERRUPTED, {}, False, RunState.INCOMPLETE),
        (PlanState.PLANNED, {Outcome.PENDING: 0, Outcome.FAILED: 0}, False, RunState.SUCCEEDED),
    ],
)
def test_a_runs_state_follows_from_its_plan_and_its_outcomes(
    plan: PlanState, outcomes: dict[Outcome, int], withheld: bool, state: RunState
) -> None:
    assert run_state(plan, outcomes, withheld=withheld) is state


@pytest.mark.parametrize(
    ("outcomes", "hold", "state"),
    [
        ({Outcome.PENDING: 1, Outcome.FAILED: 1}, Hold.PAUSED, RunState.PAUSED),
        ({Outcome.INDEXED: 1}, Hold.PAUSED, RunState.SUCCEEDED),
        ({Outcome.PENDING: 1}, Hold.CANCELLED, RunState.RUNNING),
        ({Outcome.CANCELLED: 1, Outcome.FAILED: 1}, Hold.CANCELLED, RunState.CANCELLED),
        ({Outcome.INDEXED: 1}, Hold.CANCELLED, RunState.CANCELLED),
    ],
)
def test_what_operators_asked_for_shows_in_a_runs_state(
    outcomes: dict[Outcome, int], hold: Hold, state: RunState
) -> None:
    assert run_state(PlanState.PLANNED, outcomes, withheld=False, hold=hold) is state


def test_a_document_can_be_cancelled_only_while_a_run_is_at_it() -> None:
    at_it = {DocumentState.PENDING, DocumentState.DELETING}
    assert DOCUMENT_TRANSITIONS[DocumentEvent.CANCEL] == (at_it, DocumentState.CANCELLED)
