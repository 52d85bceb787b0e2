"""What the ledger in memory has beyond the ports: a clock, faults on demand, and rows to look at."""

from __future__ import annotations

from uuid import uuid4

import pytest

from pipeline.crashes import exited_with
from pipeline.errors import ServiceUnavailable
from pipeline.identity import revision_of
from pipeline.intake import AcceptedDocument, PlanSummary, SourceRef
from pipeline.ports import Intake, Ledger
from pipeline.states import DocumentState, Outcome, SliceState
from pipeline.testing import FakeIntake, FakeLedger, ManualClock
from pipeline.types import Priority, Scope

SOURCE = SourceRef(uuid4(), Scope(uuid4(), uuid4()), "tenant", "project", "source", "/root")
SUMMARY = PlanSummary(seen=1, unchanged=0, skipped={}, withheld=0, message="", is_complete=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ledger(clock: ManualClock) -> FakeLedger:
    return FakeLedger(clock=clock, max_attempts=1)


def accept(ledger: Ledger, intake: Intake) -> None:
    with intake.planning(SOURCE, Priority.NORMAL, patience=0.0, on_wait=lambda: None) as run:
        intake.accept(run, [AcceptedDocument("a.py", "python", b"1\n", revision_of(b"1\n"), "", is_new=True)])
        intake.close(run, SUMMARY)


def test_a_lease_ends_when_the_clock_is_moved(ledger: FakeLedger, clock: ManualClock) -> None:
    accept(ledger, FakeIntake(ledger))
    (token,) = ledger.take_ready(8, oldest_first=False)
    claim = ledger.claim(token, "host:1", lease_seconds=60.0)
    assert claim is not None
    clock.advance(60.0)
    assert not ledger.sweep(60.0)
    clock.advance(0.1)
    assert (ledger.sweep(60.0).expired, ledger.extend(claim, 60.0)) == (1, False)


def test_what_it_came_to_can_be_read(ledger: FakeLedger, clock: ManualClock) -> None:
    accept(ledger, FakeIntake(ledger))
    (token,) = ledger.take_ready(8, oldest_first=False)
    claim = ledger.claim(token, "host:1", lease_seconds=60.0)
    assert claim is not None
    ledger.report_crash(token, "host:1", exited_with(3), 0.0)
    ledger.sweep(60.0)
    assert [row.state for row in ledger.documents()] == [DocumentState.FAILED]
    assert [row.state for row in ledger.slices()] == [SliceState.FAILED]
    assert [row.error for row in ledger.dead_letters()] == ["ProcessExited"]
    assert ledger.outcomes(claim.run_id) == {"a.py": Outcome.FAILED}
    assert ledger.chunks() == []


def test_a_ledger_that_is_told_to_fail_changes_nothing(ledger: FakeLedger) -> None:
    intake = FakeIntake(ledger)
    before = ledger.state.copy()
    ledger.state.fault = ServiceUnavailable("Postgres")
    with pytest.raises(ServiceUnavailable):
        accept(ledger, intake)
    with pytest.raises(ServiceUnavailable):
        ledger.take_ready(8, oldest_first=False)
    ledger.state.fault = None
    assert ledger.state.copy() == before
    accept(ledger, intake)
    assert len(ledger.take_ready(8, oldest_first=False)) == 1
