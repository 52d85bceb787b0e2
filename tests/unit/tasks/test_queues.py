"""Every stage has one queue and one task, and the two kinds of queues together are all stages."""

from __future__ import annotations

from pipeline.types import Stage
from tasks.queues import CONTROL, CPU_QUEUES, IO_QUEUES, RECONCILE, ROUTES, SWEEP, task_name


def test_each_stage_is_routed_to_the_queue_of_its_name() -> None:
    assert {name: route["queue"] for name, route in ROUTES.items()} == {
        "mobius.parse": "parse",
        "mobius.chunk": "chunk",
        "mobius.embed": "embed",
        "mobius.upsert": "upsert",
        SWEEP: CONTROL,
        RECONCILE: CONTROL,
    }


def test_every_stage_is_work_of_the_processor_or_waiting() -> None:
    assert [*CPU_QUEUES, *IO_QUEUES] == [stage.value for stage in Stage]


def test_task_names_are_told_apart() -> None:
    assert len({*map(task_name, Stage), SWEEP, RECONCILE}) == len(Stage) + 2
