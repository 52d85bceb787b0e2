"""Runs: the list, one in full, what it did to each document; and cancel, pause, resume. Only the ledger is asked."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from models.control import PostgresControl
from models.listings import read_run_documents, read_runs
from models.views import read_report
from pipeline.report import RunDocumentLine, RunLine, RunReport
from pipeline.states import Outcome, RunState
from worker.api import examples
from worker.api.auth import Caller
from worker.api.errors import NotFound
from worker.api.paging import After, Limit, Page, id_token, moment_token, page, parse_id, parse_moment
from worker.api.schemas import ProjectQuery, described
from worker.api.services import ServicesOf

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])


@router.get("", summary="List runs, newest first", responses=described(examples.RUNS, 401, 422, 503))
async def list_runs(
    caller: Caller,
    services: ServicesOf,
    project: ProjectQuery = None,
    state: Annotated[RunState | None, Query(description="Only runs in this state.")] = None,
    limit: Limit = 20,
    after: After = None,
) -> Page[RunLine]:
    """A run is one ingestion of a source. Its state is derived from its documents, so it is never out of date."""
    rows = await services.reader.read(
        read_runs, caller.tenant, limit=limit + 1, project=project, state=state, after=parse_moment(after)
    )
    return page(rows, limit, lambda row: moment_token(row.started_at, row.run_id))


@router.get("/{run_id}", summary="Report one run", responses=described(examples.RUN, 401, 404, 422, 503))
async def report_run(caller: Caller, services: ServicesOf, run_id: UUID) -> RunReport:
    """Everything about a run at this moment. Poll it until `state` is neither `planning` nor `running`."""
    report = await services.reader.read(read_report, caller.tenant, run_id, services.model.key)
    if report is None:
        raise _no_such(run_id)
    return report


@router.get(
    "/{run_id}/documents",
    summary="List what a run did to its documents",
    responses=described(examples.RUN_DOCUMENTS, 401, 404, 422, 503),
)
async def list_run_documents(
    caller: Caller,
    services: ServicesOf,
    run_id: UUID,
    outcome: Annotated[Outcome | None, Query(description="Only documents with this outcome.")] = None,
    limit: Limit = 100,
    after: After = None,
) -> Page[RunDocumentLine]:
    """`outcome` is what the run did, `state` what is true of the document now. Unchanged files are not listed."""
    rows = await services.reader.read(
        read_run_documents, caller.tenant, run_id, limit=limit + 1, outcome=outcome, after=parse_id(after)
    )
    if rows is None:
        raise _no_such(run_id)
    return page(rows, limit, lambda row: id_token(row.document_id))


@router.post(
    "/{run_id}/cancel",
    summary="Cancel a run",
    responses=described(examples.RUN_CANCELLED, 401, 404, (409, "RunEnded"), 422, 503, 504),
)
async def cancel_run(caller: Caller, services: ServicesOf, run_id: UUID) -> RunReport:
    """What it has not brought in yet stays as it was; the next ingestion takes it up again.

    Documents that search shows already, and those that another run waits for, are finished. Twice changes nothing.
    """
    await services.orders.run(PostgresControl(services.engine).cancel, caller.tenant, run_id)
    return await report_run(caller, services, run_id)


@router.post(
    "/{run_id}/pause",
    summary="Pause a run",
    responses=described(examples.RUN_PAUSED, 401, 404, (409, "RunEnded"), 422, 503, 504),
)
async def pause_run(caller: Caller, services: ServicesOf, run_id: UUID) -> RunReport:
    """No stage of it begins, and those at work stop where nothing paid for is lost. Twice changes nothing."""
    await services.orders.run(PostgresControl(services.engine).pause, caller.tenant, run_id)
    return await report_run(caller, services, run_id)


@router.post(
    "/{run_id}/resume",
    summary="Resume a run",
    responses=described(examples.RUN_RESUMED, 401, 404, (409, "RunEnded"), 422, 503, 504),
)
async def resume_run(caller: Caller, services: ServicesOf, run_id: UUID) -> RunReport:
    """Let a paused run go on; its `state` stays `paused` where an operator has paused the whole fleet."""
    await services.orders.run(PostgresControl(services.engine).resume, caller.tenant, run_id)
    return await report_run(caller, services, run_id)


def _no_such(run_id: UUID) -> NotFound:
    return NotFound(f"there is no run {run_id} in the tenant of this key; GET /api/v1/runs lists the ones there are.")
