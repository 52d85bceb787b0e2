"""Search: the one endpoint that needs Qdrant, and the provider for the query's vector."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from models.searching import CommittedChunks
from models.sources import read_scope
from pipeline.report import SearchHit
from pipeline.search import SearchMode, SearchRequest, places_from
from pipeline.types import Scope, SearchFilter
from tasks.searching import search
from worker.api import examples
from worker.api.auth import Caller
from worker.api.errors import InvalidRequest, NotFound
from worker.api.paging import Limit
from worker.api.schemas import ProjectPath, SearchReply, Traits, described
from worker.api.services import ApiServices, ServicesOf
from worker.searching import search_mode

router = APIRouter(prefix="/api/v1/projects", tags=["search"])

#: Values of one filter at most.
_MAX_WORDS = 20

Paths = Annotated[list[Annotated[str, Query(max_length=1_000)]], Query(max_length=_MAX_WORDS)]
Words = Annotated[list[Annotated[str, Query(max_length=100)]], Query(max_length=_MAX_WORDS)]


@router.get("/{p}/search", summary="Search a project", responses=described(examples.SEARCH, 401, 404, 422, 503, 504))
async def search_project(
    caller: Caller,
    services: ServicesOf,
    project: ProjectPath,
    q: Annotated[str, Query(min_length=1, max_length=10_000, description="What to look for.")],
    limit: Limit = 10,
    language: Annotated[Words, Query(description="Only these languages; may stand several times.")] = [],  # noqa: B006  FastAPI copies it
    kind: Annotated[Words, Query(description="Only these kinds of chunk; may stand several times.")] = [],  # noqa: B006  FastAPI copies it
    path: Annotated[Paths, Query(description="Only these directories or files; may stand several times.")] = [],  # noqa: B006  FastAPI copies it
    only: Annotated[Traits, Query(description="Only files that are one of these; commas, or several times.")] = [],  # noqa: B006  FastAPI copies it
    exclude: Annotated[Traits, Query(description="No files that are one of these; the same names.")] = [],  # noqa: B006  FastAPI copies it
    mode: Annotated[SearchMode | None, Query(description="How to rank; default: as the server is set.")] = None,
    expand: Annotated[bool, Query(description="Show the definition that a hit is a part of, once.")] = False,
) -> SearchReply:
    """Only chunks that the ledger has committed are found, so a point that a late writer left behind is never shown."""
    if not q.strip():
        raise InvalidRequest("query.q: it is empty; say what to look for.")
    scope = await services.reader.read(read_scope, caller.tenant, project)
    if scope is None:
        raise NotFound(f"there is no project {project!r} in the tenant of this key; upload documents to make it.")
    where = SearchFilter(
        tuple(language), tuple(kind), places=places_from(path), only=tuple(only), exclude=tuple(exclude)
    )
    request = SearchRequest(q, limit, mode or search_mode(services.settings), where, expand)
    return SearchReply(request.mode, await services.searchers.run(_search, services, scope, request))


def _search(services: ApiServices, scope: Scope, request: SearchRequest) -> list[SearchHit]:
    chunks = CommittedChunks(services.engine)
    return search(services.index(), services.query_embedder(), chunks, scope, request)
