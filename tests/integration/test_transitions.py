"""The generated statements move exactly what the transition tables allow, and the columns take exactly their words."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest
from harness.bench import Bench

from models.transitions import document_move, slice_move
from pipeline.states import (
    DOCUMENT_TRANSITIONS,
    SLICE_TRANSITIONS,
    DocumentEvent,
    DocumentState,
    Outcome,
    PlanState,
    SliceEvent,
    SliceState,
)
from pipeline.types import Action, Stage

SET_STATE = (
    "UPDATE slices SET state = :state, owner = CASE WHEN :state = 'running' THEN gen_random_uuid() END,"
    " lease_until = CASE WHEN :state = 'running' THEN now() END WHERE id = :id"
)
#: What must be set along with a state that is held by a lease, and with one that is not.
HELD = "owner = gen_random_uuid(), lease_until = now()"
FREE = "owner = NULL, lease_until = NULL"


def held_if(state: SliceState) -> str:
    return HELD if state is SliceState.RUNNING else FREE


@pytest.mark.parametrize("event", SliceEvent)
def test_an_event_moves_the_slices_that_the_table_allows_and_touches_no_other(bench: Bench, event: SliceEvent) -> None:
    bench.ingest(*({f"{state}.txt": "text"} for state in SliceState))
    ids = dict(zip(SliceState, (row["id"] for row in bench.rows("SELECT id FROM slices")), strict=True))
    for state, slice_id in ids.items():
        bench.rows(SET_STATE, state=state, id=slice_id)
    before = {row["id"]: row for row in bench.rows("SELECT * FROM slices")}

    origins, target = SLICE_TRANSITIONS[event]
    for state, slice_id in ids.items():
        moved = bench.rows(
            slice_move(event, where="s.id = :id", sets=held_if(target), returning="s.state"), id=slice_id
        )
        assert moved == ([{"state": target}] if state in origins else []), state
    after = {row["id"]: row for row in bench.rows("SELECT * FROM slices")}
    assert {state for state, each in ids.items() if after[each] != before[each]} == origins


@pytest.mark.parametrize("event", DocumentEvent)
def test_an_event_moves_the_documents_that_the_table_allows_and_touches_no_other(
    bench: Bench, event: DocumentEvent
) -> None:
    bench.ingest({f"{state}.txt": "text" for state in DocumentState})
    for state in DocumentState:
        bench.rows("UPDATE documents SET state = :state WHERE path = :path", state=state, path=f"{state}.txt")
    before = {row["path"]: row for row in bench.rows("SELECT * FROM documents")}

    origins, target = DOCUMENT_TRANSITIONS[event]
    for state in DocumentState:
        moved = bench.rows(document_move(event, where="d.path = :path", returning="d.state"), path=f"{state}.txt")
        assert moved == ([{"state": target}] if state in origins else []), state
    after = {row["path"]: row for row in bench.rows("SELECT * FROM documents")}
    assert {state for state in DocumentState if after[f"{state}.txt"] != before[f"{state}.txt"]} == origins


def test_columns_take_the_words_of_their_enumerations_and_no_others(bench: Bench) -> None:
    words: dict[str, type[StrEnum]] = {
        "ck_slices_state": SliceState,
        "ck_slices_stage": Stage,
        "ck_documents_state": DocumentState,
        "ck_runs_plan_state": PlanState,
        "ck_run_documents_action": Action,
        "ck_run_documents_outcome": Outcome,
    }
    for name, enumeration in words.items():
        condition = bench.one("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name", name=name)
        assert set(re.findall(r"'(\w+)'", condition)) == set(enumeration), name
