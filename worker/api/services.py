"""What the endpoints work with, opened once per process: the ledger, Celery's results, the index, bounded threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Annotated

from fastapi import Depends, Request

from models.async_session import AsyncReader
from models.session import open_engine
from pipeline.ports import Embedder, Index, QueryEmbedder
from worker.api.errors import Overloaded
from worker.api.results import CeleryResults
from worker.api.threads import Threads
from worker.embedding import build_embedder, build_index, build_query_embedder, embedding_model
from worker.settings import Settings

#: Connections for reads. With the ones below it is all that one API process takes of Postgres' connections.
READ_CONNECTIONS = 5
#: Uploads that are planned at once, and the connections that each takes: the lock, the walk, the writes.
PLANNERS = 2
CONNECTIONS_PER_PLANNER = 3
#: Uploads that are received or planned at once: what bounds the memory and the files that they take.
UPLOADS = 4
#: Seconds that an upload waits, unread, for its turn.
UPLOAD_PATIENCE = 30.0
#: Searches at once; each takes a connection.
SEARCHERS = 4
#: Orders of operators at once (cancel a run, retry a dead letter); each takes a connection.
ORDERS = 1
#: Seconds that a client waits for a plan, for a search, and for an order.
PLAN_SECONDS = 60.0
SEARCH_SECONDS = 10.0
ORDER_SECONDS = 30.0

#: All connections to Postgres that one API process opens at most.
DATABASE_CONNECTIONS = READ_CONNECTIONS + PLANNERS * CONNECTIONS_PER_PLANNER + SEARCHERS + ORDERS


class ApiServices:
    """Adapters for one API process. Nothing connects before its first use, so it starts while services are down."""

    def __init__(
        self,
        settings: Settings,
        *,
        make_embedder: Callable[[Settings], Embedder] = build_embedder,
        make_index: Callable[[Settings], Index] | None = None,
    ) -> None:
        """Open everything. The two makers are for tests.

        Raises:
            MisconfiguredError: There is no database, or its address is unusable.
        """
        database_url = settings.require("database_url")
        self.settings = settings
        self.model = embedding_model(settings)
        self.reader = AsyncReader(database_url, pool_size=READ_CONNECTIONS)
        self.engine = open_engine(database_url, pool_size=DATABASE_CONNECTIONS - READ_CONNECTIONS)
        self.results = CeleryResults(settings.result_url if settings.redis_url else None)
        self.planners = Threads("plan", PLANNERS, PLAN_SECONDS)
        self.searchers = Threads("search", SEARCHERS, SEARCH_SECONDS)
        self.orders = Threads("order", ORDERS, ORDER_SECONDS)
        self._make_embedder = make_embedder
        self._make_index = make_index or (lambda settings: build_index(settings, self.model))
        self._making = threading.RLock()
        self._uploads = asyncio.Semaphore(UPLOADS)

    @asynccontextmanager
    async def upload_turn(self) -> AsyncIterator[None]:
        """Wait for the right to receive an upload, and hold it for the block.

        Raises:
            Overloaded: Too many others are at it for too long.
        """
        try:
            async with asyncio.timeout(UPLOAD_PATIENCE):
                await self._uploads.acquire()
        except TimeoutError as exc:
            raise Overloaded from exc
        try:
            yield
        finally:
            self._uploads.release()

    def embedder(self) -> Embedder:
        """Return the embedder for queries, made at its first use; called in a thread."""
        with self._making:
            return self._embedder

    def query_embedder(self) -> QueryEmbedder:
        """Return what embeds queries, made at its first use; called in a thread."""
        with self._making:
            return self._query_embedder

    def index(self) -> Index:
        """Return the index, made at its first use; called in a thread.

        Raises:
            MisconfiguredError: Qdrant's address is not set.
        """
        with self._making:
            return self._index

    def warm(self) -> None:
        """Make what takes long to import before anybody waits for it; it connects to nothing."""
        self.embedder()
        if self.settings.qdrant_url is not None:
            self.index()

    async def close(self) -> None:
        """Let the plans and orders that were begun end, and release everything."""
        await self.planners.close(wait=True)
        await self.orders.close(wait=True)
        await self.searchers.close(wait=False)
        await self.results.close()
        await self.reader.close()
        self.engine.dispose()

    @cached_property
    def _embedder(self) -> Embedder:
        return self._make_embedder(self.settings)

    @cached_property
    def _query_embedder(self) -> QueryEmbedder:
        return build_query_embedder(self.settings, self.embedder)

    @cached_property
    def _index(self) -> Index:
        return self._make_index(self.settings)


def _services(request: Request) -> ApiServices:
    services: ApiServices = request.app.state.services
    return services


ServicesOf = Annotated[ApiServices, Depends(_services)]
