"""Compare ledger and index, count what really differs, and mend it from the ledger's own vectors.

A pass merges both sides page by page. What differs is looked at again under its document's claim, and only what is
wrong even then is recorded as a drift: the table of drifts is the queue of the repair, so memory stays constant. The
repair looks at every drift once more under the claim, mends it, and reads it back before it counts as repaired.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict

import structlog
from celery import Task, shared_task

from pipeline.errors import ServiceUnavailable
from pipeline.reconcile_ports import Pass, ReconcileContext, ReconciliationLost
from pipeline.reconciliation import PassCounts, PassReport, ReconciliationState
from pipeline.types import Scope
from tasks.base import StageContext
from tasks.queues import RECONCILE
from tasks.reconciliation_pass import Reconciliation

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


def reconcile(
    context: ReconcileContext, scope: Scope | None, *, is_repair: bool, allow_delete: bool = False
) -> PassReport | None:
    """Run one pass over a scope, or over everything; None where another one is running.

    ``allow_delete``: delete points without a chunk however many they are.

    Raises:
        ServiceUnavailable: Index or ledger does not answer; the next pass begins anew.
        MisconfiguredError: The index is not one of this model.
    """
    held = context.ledger.begin(scope, is_repair=is_repair, lease_seconds=context.policy.lease_seconds)
    if held is None:
        return None
    started = time.monotonic()
    work = Reconciliation(context, held, scope)
    try:
        state, message = work.run(is_repair=is_repair, allow_delete=allow_delete)
        context.ledger.finish(held, work.counts, state, message)
    except ReconciliationLost:
        state, message = ReconciliationState.INTERRUPTED, "another pass took over; look at that one"
    except (KeyboardInterrupt, SystemExit):
        _record_end(context, held, work.counts, ReconciliationState.INTERRUPTED, "its process was told to end")
        raise
    except Exception as exc:  # the one place that records what ended a pass, and lets it fail
        _record_end(context, held, work.counts, ReconciliationState.FAILED, f"{type(exc).__name__}: {exc}")
        raise
    seconds = round(time.monotonic() - started, 3)
    return PassReport(held.id, is_repair, state, work.counts, seconds, message)


def _record_end(
    context: ReconcileContext, held: Pass, counts: PassCounts, state: ReconciliationState, message: str
) -> None:
    """Say in the ledger why the pass ended. Where even that fails, its lease expires and the next pass says so."""
    with suppress(ServiceUnavailable, ReconciliationLost):
        context.ledger.finish(held, counts, state, message)


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
