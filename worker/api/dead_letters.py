"""Dead letters: what was given up on and why; tried again when the cause is mended, or taken off the list."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from models.dead_letters import DeadLetters, read_dead_letter, read_dead_letters
from pipeline.dead_letters import DeadLetterLine
from worker.api import examples
from worker.api.auth import Caller
from worker.api.errors import Closed, NotFound
from worker.api.paging import After, Limit, Page, moment_token, page, parse_moment
from worker.api.schemas import Dropped, ProjectQuery, Retried, described
from worker.api.services import ServicesOf

router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead letters"])

_CLOSED = (409, "Closed")


@router.get("", summary="List dead letters", responses=described(examples.DEAD_LETTERS, 401, 422, 503))
async def list_dead_letters(
    caller: Caller,
    services: ServicesOf,
    project: ProjectQuery = None,
    every: Annotated[
        bool, Query(alias="all", description="Also those that are taken care of or overtaken, not only open ones.")
    ] = False,
    limit: Limit = 20,
    after: After = None,
) -> Page[DeadLetterLine]:
    """The latest first: documents that are given up, because every try of each alone ended in a crash."""
    rows = await services.reader.read(
        read_dead_letters, caller.tenant, project, limit=limit + 1, closed=every, after=parse_moment(after)
    )
    return page(rows, limit, lambda row: moment_token(row.given_up_at, row.dead_letter_id))


@router.get(
    "/{dead_letter_id}",
    summary="Show one dead letter",
    responses=described(examples.DEAD_LETTER, 401, 404, 422, 503),
)
async def show_dead_letter(caller: Caller, services: ServicesOf, dead_letter_id: UUID) -> DeadLetterLine:
    """Its error with the traceback, how often, where and when it was tried, and what became of it since."""
    found = await services.reader.read(read_dead_letter, caller.tenant, dead_letter_id)
    if found is None:
        raise NotFound(f"there is no dead letter {dead_letter_id} in the tenant of this key.")
    return found


@router.post(
    "/{dead_letter_id}/retry",
    status_code=202,
    summary="Try a document again",
    responses=described(examples.RETRIED, 401, 404, _CLOSED, 422, 503, 504, success=202),
)
async def retry_dead_letter(caller: Caller, services: ServicesOf, dead_letter_id: UUID, response: Response) -> Retried:
    """Send it through all stages again, after what was wrong is mended; `Location` names the new run."""
    letter = await show_dead_letter(caller, services, dead_letter_id)
    letters = DeadLetters(services.engine, caller.tenant)
    runs = await services.orders.run(letters.retry, [dead_letter_id])
    if not runs:
        raise Closed(f"dead letter {dead_letter_id} is {letter.status}; only an open one is tried again.")
    ((run_id, documents),) = runs.items()
    response.headers["Location"] = f"/api/v1/runs/{run_id}"
    return Retried(run_id, documents)


@router.delete(
    "/{dead_letter_id}",
    summary="Drop a dead letter",
    responses=described(examples.DROPPED, 401, 404, 422, 503, 504),
)
async def drop_dead_letter(caller: Caller, services: ServicesOf, dead_letter_id: UUID) -> Dropped:
    """Take it off the list. The document stays failed until it is ingested again. Twice changes nothing."""
    await show_dead_letter(caller, services, dead_letter_id)
    letters = DeadLetters(services.engine, caller.tenant)
    return Dropped(await services.orders.run(letters.drop, [dead_letter_id]))
