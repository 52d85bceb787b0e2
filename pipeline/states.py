"""The written transition tables of slices and documents; the ledger's statements are generated from them.

Every event leads to one state whatever state it came from, so that a table row is exactly one guarded UPDATE:
``SET state = <next> WHERE state IN (<from>)``. What is not in a table cannot happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class SliceState(StrEnum):
    """Where a slice is. READY waits for the dispatcher, DISPATCHED for a worker; RUNNING is held by a lease."""

    READY = "ready"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SliceEvent(StrEnum):
    """What can happen to a slice."""

    DISPATCH = "dispatch"
    CLAIM = "claim"
    ADVANCE = "advance"
    FINISH = "finish"
    HAND_BACK = "hand_back"
    CRASH = "crash"
    LEASE_EXPIRED = "lease_expired"
    NEVER_STARTED = "never_started"
    HOLD = "hold"
    GIVE_UP = "give_up"
    CANCEL = "cancel"


class DocumentState(StrEnum):
    """What is true of a document. INDEXED means: written to the index and read back.

    CANCELLED: its newest revision was not taken in, because its run was cancelled; what was indexed of it before is.
    """

    PENDING = "pending"
    INDEXED = "indexed"
    FAILED = "failed"
    DELETING = "deleting"
    DELETED = "deleted"
    CANCELLED = "cancelled"


class DocumentEvent(StrEnum):
    """What can happen to a document."""

    ACCEPT = "accept"
    ACCEPT_DELETION = "accept_deletion"
    INDEX = "index"
    FAIL = "fail"
    DELETE = "delete"
    CANCEL = "cancel"


class Outcome(StrEnum):
    """How a run left a document. PENDING is the only one that is not final."""

    PENDING = "pending"
    INDEXED = "indexed"
    DELETED = "deleted"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class PlanState(StrEnum):
    """How far a run's plan got. INTERRUPTED: the producer died; what it had accepted is still processed."""

    PLANNING = "planning"
    PLANNED = "planned"
    INTERRUPTED = "interrupted"


class RunState(StrEnum):
    """What a run is, derived from its plan, its outcomes and what operators asked for; never stored."""

    PLANNING = "planning"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INCOMPLETE = "incomplete"


SLICE_TRANSITIONS: Mapping[SliceEvent, tuple[frozenset[SliceState], SliceState]] = {
    SliceEvent.DISPATCH: (frozenset({SliceState.READY}), SliceState.DISPATCHED),
    SliceEvent.CLAIM: (frozenset({SliceState.DISPATCHED}), SliceState.RUNNING),
    SliceEvent.ADVANCE: (frozenset({SliceState.RUNNING}), SliceState.DISPATCHED),
    SliceEvent.FINISH: (frozenset({SliceState.RUNNING}), SliceState.DONE),
    SliceEvent.HAND_BACK: (frozenset({SliceState.RUNNING}), SliceState.READY),
    SliceEvent.LEASE_EXPIRED: (frozenset({SliceState.RUNNING}), SliceState.READY),
    SliceEvent.CRASH: (frozenset({SliceState.RUNNING}), SliceState.READY),
    SliceEvent.NEVER_STARTED: (frozenset({SliceState.DISPATCHED}), SliceState.READY),
    SliceEvent.HOLD: (frozenset({SliceState.DISPATCHED}), SliceState.READY),
    SliceEvent.GIVE_UP: (frozenset({SliceState.READY, SliceState.RUNNING}), SliceState.FAILED),
    SliceEvent.CANCEL: (
        frozenset({SliceState.READY, SliceState.DISPATCHED, SliceState.RUNNING}),
        SliceState.CANCELLED,
    ),
}

_ANY_DOCUMENT = frozenset(DocumentState)

DOCUMENT_TRANSITIONS: Mapping[DocumentEvent, tuple[frozenset[DocumentState], DocumentState]] = {
    DocumentEvent.ACCEPT: (_ANY_DOCUMENT, DocumentState.PENDING),
    DocumentEvent.ACCEPT_DELETION: (_ANY_DOCUMENT - {DocumentState.DELETED}, DocumentState.DELETING),
    DocumentEvent.INDEX: (frozenset({DocumentState.PENDING}), DocumentState.INDEXED),
    DocumentEvent.FAIL: (frozenset({DocumentState.PENDING, DocumentState.DELETING}), DocumentState.FAILED),
    DocumentEvent.DELETE: (frozenset({DocumentState.DELETING}), DocumentState.DELETED),
    DocumentEvent.CANCEL: (frozenset({DocumentState.PENDING, DocumentState.DELETING}), DocumentState.CANCELLED),
}


class Hold(StrEnum):
    """What an operator asked of a run. A cancelled run stays cancelled; the fleet's pause holds every other one."""

    NONE = ""
    PAUSED = "paused"
    CANCELLED = "cancelled"


def run_state(plan: PlanState, outcomes: Mapping[Outcome, int], *, withheld: bool, hold: Hold = Hold.NONE) -> RunState:
    """Derive a run's state. ``withheld``: its walk was partial against its will, or deletions wait for consent."""
    if plan is PlanState.PLANNING:
        return RunState.PLANNING
    if outcomes.get(Outcome.PENDING, 0):
        return RunState.PAUSED if hold is Hold.PAUSED else RunState.RUNNING
    if hold is Hold.CANCELLED:
        return RunState.CANCELLED
    if outcomes.get(Outcome.FAILED, 0):
        return RunState.FAILED
    if plan is PlanState.INTERRUPTED or withheld:
        return RunState.INCOMPLETE
    return RunState.SUCCEEDED
