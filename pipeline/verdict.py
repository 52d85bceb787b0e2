"""Say what a message is worth now: whether its token is the one that the ledger would let work.

A chain's links carry consecutive numbers, and a slice that is sent again starts a chain with a higher one. So a
message belongs to the slice's present chain exactly when its number runs as far ahead of the slice's as its stage.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.states import SliceState
from pipeline.types import Stage, Token

_STAGES = tuple(Stage)

_AT_IT = {
    SliceState.READY: "handed back: the dispatcher sends the slice again under a higher number",
    SliceState.DISPATCHED: "current: a worker may take it",
    SliceState.RUNNING: "current: a worker is at it",
}
_OVER = {
    SliceState.DONE: "done: the slice has passed all stages",
    SliceState.FAILED: "given up: the slice was split or its document is a dead letter",
    SliceState.CANCELLED: "cancelled: an operator ended its run",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``is_current``: a worker that gets this message may work, or is at work. ``text`` says it for people."""

    is_current: bool
    text: str


def judge(token: Token, current: Token, state: SliceState) -> Verdict:
    """Compare a message's token with what the ledger knows of its slice."""
    if state in _OVER:
        return Verdict(False, _OVER[state])
    stages_ahead = _STAGES.index(token.stage) - _STAGES.index(current.stage)
    if stages_ahead < 0:
        return Verdict(False, f"past: the slice has left this stage and is at {current.stage}")
    sends_ahead = token.seq - stages_ahead - current.seq
    if sends_ahead < 0:
        return Verdict(False, f"stale: the slice was sent again since; its current message is {current.task_id}")
    if sends_ahead > 0:
        return Verdict(False, f"unknown: no such message was sent; the slice's current one is {current.task_id}")
    if stages_ahead > 0:
        return Verdict(False, f"waiting: it follows when the slice has passed {current.stage}")
    return Verdict(state is not SliceState.READY, _AT_IT[state])
