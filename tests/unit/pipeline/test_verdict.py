"""What a message is worth follows from its token and the slice's, in every state of the slice."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.states import SliceState
from pipeline.types import Stage, Token
from pipeline.verdict import judge

SLICE = UUID(int=1)


def token(stage: Stage, seq: int) -> Token:
    return Token(SLICE, stage, seq)


#: The slice is at chunk, and its current message is number 5; its chain continues with 6 and 7.
CURRENT = token(Stage.CHUNK, 5)


@pytest.mark.parametrize("state", [SliceState.DISPATCHED, SliceState.RUNNING])
def test_only_the_current_message_is_current(state: SliceState) -> None:
    found = {(stage, seq): judge(token(stage, seq), CURRENT, state).is_current for stage in Stage for seq in range(10)}
    assert [key for key, is_current in found.items() if is_current] == [(Stage.CHUNK, 5)]


@pytest.mark.parametrize(
    ("stage", "seq", "word"),
    [
        (Stage.CHUNK, 5, "current"),
        (Stage.EMBED, 6, "waiting"),
        (Stage.UPSERT, 7, "waiting"),
        (Stage.PARSE, 4, "past"),
        (Stage.PARSE, 9, "past"),
        (Stage.CHUNK, 4, "stale"),
        (Stage.EMBED, 5, "stale"),
        (Stage.CHUNK, 6, "unknown"),
        (Stage.EMBED, 7, "unknown"),
    ],
)
def test_the_verdict_says_why(stage: Stage, seq: int, word: str) -> None:
    assert judge(token(stage, seq), CURRENT, SliceState.DISPATCHED).text.startswith(f"{word}: ")


def test_a_stale_verdict_names_the_message_that_counts() -> None:
    assert CURRENT.task_id in judge(token(Stage.CHUNK, 4), CURRENT, SliceState.RUNNING).text


@pytest.mark.parametrize(
    ("state", "word"),
    [(SliceState.READY, "handed back"), (SliceState.DONE, "done"), (SliceState.FAILED, "given up")],
)
def test_no_message_is_current_when_nobody_may_work(state: SliceState, word: str) -> None:
    verdict = judge(CURRENT, CURRENT, state)
    assert not verdict.is_current
    assert verdict.text.startswith(f"{word}: ")
