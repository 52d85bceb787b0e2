"""Name the queues and tasks: one queue per stage, and one for control."""

from __future__ import annotations

from pipeline.types import Stage

CONTROL = "control"

#: Work of the processor, where one process per core is right.
CPU_QUEUES = (Stage.PARSE.value, Stage.CHUNK.value)
#: Work that waits for a provider or a store.
IO_QUEUES = (Stage.EMBED.value, Stage.UPSERT.value)

#: The header of a stage's message that says which version it is of; where it is missing, the first.
VERSION_HEADER = "mobius_version"

SWEEP = "mobius.sweep"
RECONCILE = "mobius.reconcile"


def task_name(stage: Stage) -> str:
    """Return the Celery name of a stage's task."""
    return f"mobius.{stage.value}"


ROUTES = {task_name(stage): {"queue": stage.value} for stage in Stage} | {
    name: {"queue": CONTROL} for name in (SWEEP, RECONCILE)
}
