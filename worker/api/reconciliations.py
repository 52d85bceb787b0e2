"""Reconciliations: what the comparisons of ledger and index found, newest first."""

from __future__ import annotations

from fastapi import APIRouter

from models.listings import read_reconciliations
from pipeline.reconciliation import ReconciliationLine
from worker.api import examples
from worker.api.auth import Caller
from worker.api.paging import After, Limit, Page, moment_token, page, parse_moment
from worker.api.schemas import ProjectQuery, described
from worker.api.services import ServicesOf

router = APIRouter(prefix="/api/v1/reconciliations", tags=["reconciliations"])


@router.get("", summary="List reconciliations", responses=described(examples.RECONCILIATIONS, 401, 422, 503))
async def list_reconciliations(
    caller: Caller, services: ServicesOf, project: ProjectQuery = None, limit: Limit = 20, after: After = None
) -> Page[ReconciliationLine]:
    """Each is one pass over ledger and index: how many points were compared, how many disagreed, and were mended.

    `project` is null for a pass over the whole index: its counts are those of all tenants together.
    """
    rows = await services.reader.read(
        read_reconciliations, caller.tenant, limit=limit + 1, project=project, after=parse_moment(after)
    )
    return page(rows, limit, lambda row: moment_token(row.started_at, row.reconciliation_id))
