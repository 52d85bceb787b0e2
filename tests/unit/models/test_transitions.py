"""A row of a transition table becomes one guarded UPDATE."""

from __future__ import annotations

import pytest

from models.transitions import document_move, slice_move
from pipeline.states import DOCUMENT_TRANSITIONS, SLICE_TRANSITIONS, DocumentEvent, SliceEvent


def test_a_move_is_guarded_by_the_states_it_may_come_from() -> None:
    assert slice_move(SliceEvent.GIVE_UP, where="s.id = :id").splitlines() == [
        "UPDATE slices AS s SET state = 'failed', updated_at = now()",
        "WHERE s.state IN ('ready', 'running') AND s.id = :id",
    ]


def test_a_move_takes_more_columns_other_tables_and_gives_rows_back() -> None:
    sql = document_move(
        DocumentEvent.INDEX, where="d.id = x.id", sets="error = ''", source="things x", returning="d.id"
    )
    assert sql.splitlines() == [
        "UPDATE documents AS d SET state = 'indexed', updated_at = now(), error = ''",
        "FROM things x",
        "WHERE d.state IN ('pending') AND d.id = x.id",
        "RETURNING d.id",
    ]


def test_a_move_that_skips_what_is_locked_asks_for_it_under_the_same_conditions() -> None:
    sql = slice_move(SliceEvent.HOLD, source="runs r", where="r.id = s.run_id", skip_locked=True)
    guarded, free = sql.split(" AND s.id = ANY(ARRAY(")
    assert guarded == slice_move(SliceEvent.HOLD, source="runs r", where="r.id = s.run_id")
    assert free == (
        "SELECT s.id FROM slices AS s, runs r WHERE s.state IN ('dispatched') AND r.id = s.run_id"
        " FOR NO KEY UPDATE OF s SKIP LOCKED))"
    )


@pytest.mark.parametrize("event", SliceEvent)
def test_every_event_of_a_slice_sets_its_one_state(event: SliceEvent) -> None:
    assert f"SET state = '{SLICE_TRANSITIONS[event][1]}'," in slice_move(event, where="true")


@pytest.mark.parametrize("event", DocumentEvent)
def test_every_event_of_a_document_sets_its_one_state(event: DocumentEvent) -> None:
    assert f"SET state = '{DOCUMENT_TRANSITIONS[event][1]}'," in document_move(event, where="true")
