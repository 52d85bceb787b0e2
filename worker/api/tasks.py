"""Tasks: what Celery believes, joined with what the ledger knows, and which of the two is out of date."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from models.slice_views import read_slice
from pipeline.states import SliceState
from pipeline.types import Stage, Token
from pipeline.verdict import judge
from worker.api import examples
from worker.api.auth import Caller
from worker.api.errors import NotFound
from worker.api.schemas import TaskReport, described
from worker.api.services import ServicesOf

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])

#: More than Postgres' integer column holds is no number of ours.
_MAX_SEQ = 2**31 - 1


@router.get("/{task_id}", summary="Report one task", responses=described(examples.TASK, 401, 404, 422, 503))
async def report_task(caller: Caller, services: ServicesOf, task_id: str) -> TaskReport:
    """A task id is `SLICE:STAGE:NUMBER`, as Flower and the logs show it.

    Without Redis the ledger's half is answered all the same, and `celery.state` is `UNAVAILABLE`.
    """
    token = _token(task_id)
    ledger = None if token is None else await services.reader.read(read_slice, caller.tenant, token.slice_id)
    if token is None or ledger is None:
        raise NotFound(f"there is no task {task_id[:100]!r} in the tenant of this key; an id is SLICE:STAGE:NUMBER.")
    celery = await services.results.belief(token.task_id)
    current = Token(ledger.slice_id, Stage(ledger.stage), ledger.seq)
    verdict = judge(token, current, SliceState(ledger.state))
    return TaskReport(token.task_id, verdict.is_current, verdict.text, celery, ledger)


def _token(task_id: str) -> Token | None:
    """Return the token that a task id was derived from; None if it was derived from none."""
    try:
        slice_id, stage, seq = task_id.split(":")
        token = Token(UUID(slice_id), Stage(stage), int(seq))
    except ValueError:
        return None
    return token if token.task_id == task_id and 0 <= token.seq <= _MAX_SEQ else None
