"""The parent of a worker process reports how its child ended, and nothing where the child had no part in it."""

from __future__ import annotations

from socket import gethostname
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from billiard.pool import Pool
from celery.worker.request import Request

from pipeline.crashes import Crash
from pipeline.errors import ServiceUnavailable
from pipeline.testing import FakeLeases
from pipeline.types import Stage, Token
from tasks.base import IngestApp, StageContext, StageTask
from tasks.requests import StageRequest
from tasks.witness import NoWitness

TOKEN = Token(UUID(int=1), Stage.EMBED, 3)
CHILD = 4711


class Seen(NoWitness):
    """Has a trace of the child, and counts what the kernel killed."""

    kills = 0

    def trace_of(self, pid: int | None) -> str:
        return f"trace of {pid}"

    def out_of_memory_kills(self) -> int:
        return self.kills


@pytest.fixture
def witness() -> Seen:
    return Seen()


@pytest.fixture
def request_of_a_child(context: StageContext, witness: Seen, monkeypatch: pytest.MonkeyPatch) -> StageRequest:
    """A message that the child has accepted; what Celery itself does with its end is left out."""
    for name in ("on_accepted", "on_timeout", "on_failure"):
        monkeypatch.setattr(Request, name, lambda *_args, **_kwargs: None)
    made: Any = StageRequest.__new__(StageRequest)
    app = IngestApp("test", build_context=lambda: context, witness=witness, set_as_current=False)
    made._app, made._args, made.worker_pid = app, (str(TOKEN.slice_id), "embed", 3), CHILD
    made.on_accepted(CHILD, 0.0)
    return made


def lost(status: int) -> Any:
    """Return what the installed billiard tells about a child that ended with this status."""
    told: list[Any] = []
    job = SimpleNamespace(_job=3, _set=lambda _number, result: told.append(result[1]))
    Pool.mark_as_worker_lost(None, job, status)
    return told[0]


def reported(leases: FakeLeases) -> Crash:
    ((token, worker, crash),) = leases.crashes
    assert (token, worker) == (TOKEN, f"{gethostname()}:{CHILD}")
    assert leases.closed == 1, "the parent forks, so it keeps no connection"
    return crash


@pytest.mark.parametrize(
    ("status", "error", "is_evidence"),
    [
        (-11, "ProcessCrashed", True),
        (-6, "ProcessCrashed", True),
        (-9, "ProcessKilled", False),
        (-15, "ProcessKilled", False),
        (3, "ProcessExited", True),
        (0, "ProcessKilled", False),
    ],
)
def test_how_a_child_ended_is_reported_with_where_it_was(
    request_of_a_child: StageRequest, leases: FakeLeases, status: int, error: str, is_evidence: bool
) -> None:
    request_of_a_child.on_failure(lost(status))
    crash = reported(leases)
    assert (crash.error, crash.is_evidence, crash.trace) == (error, is_evidence, f"trace of {CHILD}")


def test_a_child_that_was_killed_while_memory_ran_out_was_killed_for_that(
    request_of_a_child: StageRequest, leases: FakeLeases, witness: Seen
) -> None:
    witness.kills += 1
    request_of_a_child.on_failure(lost(-9))
    assert reported(leases).error == "OutOfMemory"


def test_a_hang_is_reported_with_where_it_hung(request_of_a_child: StageRequest, leases: FakeLeases) -> None:
    request_of_a_child.on_timeout(False, 300.0)
    assert (reported(leases).error, reported(leases).trace) == ("TimeLimitExceeded", f"trace of {CHILD}")


def test_a_soft_time_limit_is_no_hang(request_of_a_child: StageRequest, leases: FakeLeases) -> None:
    request_of_a_child.on_timeout(True, 300.0)
    assert leases.crashes == []


def test_what_a_stage_raised_it_has_recorded_itself(request_of_a_child: StageRequest, leases: FakeLeases) -> None:
    request_of_a_child.on_failure(SimpleNamespace(exception=ZeroDivisionError()))
    assert leases.crashes == []


def test_children_that_end_because_their_worker_is_told_to_stop_are_not_reported(
    request_of_a_child: StageRequest, leases: FakeLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celery.worker.state.should_terminate", True)
    request_of_a_child.on_failure(lost(-11))
    request_of_a_child.on_timeout(False, 300.0)
    assert leases.crashes == []


def test_a_ledger_that_is_away_leaves_the_slice_to_its_lease(
    request_of_a_child: StageRequest, leases: FakeLeases
) -> None:
    leases.fault = ServiceUnavailable("Postgres")
    request_of_a_child.on_failure(lost(-11))
    assert leases.crashes == []


def test_the_stages_use_it() -> None:
    assert StageTask.Request == f"{StageRequest.__module__}:{StageRequest.__name__}"
