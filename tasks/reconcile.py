"""The task that compares ledger and index now and then, and mends what differs."""

from __future__ import annotations

from dataclasses import asdict

import structlog
from celery import Task, shared_task

from pipeline.reconciliation import PassReport
from tasks.base import StageContext
from tasks.queues import RECONCILE
from tasks.reconciliation_pass import reconcile

log = structlog.get_logger(__name__)


@shared_task(name=RECONCILE, bind=True)
def reconcile_everything(self: Task) -> dict[str, int | str]:
    """Compare the whole index with the ledger and mend it; end quietly where another pass is running."""
    context: StageContext = self.app.stage_context
    if context.reconcile is None:
        raise RuntimeError("this process was not given what a reconciliation needs")
    report = reconcile(context.reconcile, None, is_repair=True)
    if report is None:
        log.info("reconciliation_skipped", reason="another one is running")
        return {"state": "skipped"}
    _log(report)
    return {"state": report.state.value, "drifted": report.counts.drifted, "repaired": report.counts.repaired}


def _log(report: PassReport) -> None:
    log.info(
        "reconciliation_finished",
        reconciliation_id=str(report.reconciliation_id),
        is_repair=report.is_repair,
        state=report.state.value,
        seconds=report.seconds,
        message=report.message,
        drifted=report.counts.drifted,
        **asdict(report.counts),
    )
