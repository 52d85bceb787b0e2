"""The periodic safety net: the same sweep and dispatch that the dispatcher does, in case it is dead."""

from __future__ import annotations

from celery import Task, shared_task

from tasks.base import StageContext
from tasks.queues import SWEEP
from tasks.workflow import dispatch, sweep


@shared_task(name=SWEEP, bind=True)
def sweep_and_dispatch(self: Task) -> dict[str, int]:
    """Bring back lost slices and send what is ready; harmless beside a living dispatcher."""
    context: StageContext = self.app.stage_context
    try:
        swept = sweep(context.ledger, context.policy)
    finally:
        sent = dispatch(self.app, context.ledger, context.policy, oldest_first=True)
    return {"expired": swept.expired, "never_started": swept.never_started, "sent": sent}
