"""Search a project with the services of a command: what ``mobius search`` does before it prints."""

from __future__ import annotations

from collections.abc import Iterable

from models.searching import CommittedChunks
from pipeline.choices import SearchMode
from pipeline.report import SearchHit
from pipeline.search import SearchRequest, places_from
from pipeline.types import SearchFilter
from tasks.searching import search
from worker.cli.names import Names
from worker.cli.services import Services
from worker.observability.logs import configure_logs
from worker.searching import search_mode


def find_chunks(
    services: Services,
    names: Names,
    query: str,
    *,
    limit: int,
    mode: SearchMode | None,
    where: SearchFilter,
    expand: bool,
) -> list[SearchHit]:
    """Return the best chunks of a project, best first; ``mode`` None: as the settings say.

    Raises:
        MisconfiguredError: The project, the index or the embedder is not usable.
        TransientError: A service does not answer.
    """
    # What an adapter has to say must not stand among the results.
    configure_logs(services.settings.log_level, "console")
    scope = services.sources.scope_of(names.tenant, names.project)
    request = SearchRequest(query, limit, mode or search_mode(services.settings), where, expand)
    return search(services.index, services.query_embedder, CommittedChunks(services.engine), scope, request)


def confined_to(
    languages: Iterable[str], kinds: Iterable[str], paths: Iterable[str], *, only: Iterable[str], exclude: Iterable[str]
) -> SearchFilter:
    """Return what a search is confined to; ``only`` and ``exclude`` name traits of files."""
    return SearchFilter(
        tuple(languages), tuple(kinds), places=places_from(paths), only=tuple(only), exclude=tuple(exclude)
    )
