"""Processes times pool fits into the server's limit, or the operator is told before the server refuses."""

from __future__ import annotations

import pytest

from models.diagnosis import Connections
from worker.api.services import DATABASE_CONNECTIONS
from worker.doctor.connections import judge_connections, worker_processes
from worker.doctor.findings import Status
from worker.settings import Settings

SETTINGS = Settings(cpu_concurrency=4, io_concurrency=3, pool_size=2)
#: 8 worker processes x 2, the dispatcher's 2 + 1, one API process, and two commands of 4 each.
NEEDED = 27 + DATABASE_CONNECTIONS


def limits(server: int, database: int = -1, role: int = -1, others: int = 0) -> Connections:
    return Connections(server, database, role, others, ours=5, dispatchers=1)


def test_the_control_queue_has_a_process_of_its_own() -> None:
    assert worker_processes(SETTINGS) == 8


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (limits(97), Status.OK),
        (limits(NEEDED), Status.WARNING),
        (limits(NEEDED - 1), Status.PROBLEM),
        (limits(97, database=20), Status.PROBLEM),
        (limits(97, role=20), Status.PROBLEM),
        (limits(97, database=0), Status.PROBLEM),
        (limits(97, others=60), Status.WARNING),
        (limits(80, others=20), Status.OK),
    ],
)
def test_the_tightest_limit_counts_and_room_is_left_for_a_deployment(seen: Connections, status: Status) -> None:
    finding = judge_connections(seen, SETTINGS)
    assert finding.status is status
    assert f": {NEEDED} of " in finding.found
    assert ("max_connections" in finding.advice) == (status is not Status.OK)


@pytest.mark.parametrize(
    ("named", "answering", "processes"),
    [(None, None, "8 worker processes (as configured)"), (None, 3, "8 worker processes (as configured)"),
     (None, 40, "40 worker processes (as running now)"), (20, 40, "20 worker processes (as you say)")],
)  # fmt: skip
def test_the_operators_number_wins_then_the_larger_one(
    named: int | None, answering: int | None, processes: str
) -> None:
    assert processes in judge_connections(limits(500), SETTINGS, named=named, answering=answering).found


def test_replicas_break_a_budget_that_one_fleet_keeps() -> None:
    assert judge_connections(limits(97), SETTINGS, named=50).status is Status.PROBLEM
