"""The HTTP application: every router, one form of errors, and a description of itself.

There is no page that shows the description: those load their scripts from other people's servers, and nothing here
makes a browser talk to anyone else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata

from fastapi import FastAPI

from worker.api import documents, errors, health, reconciliations, runs, searching, tasks
from worker.api.requests import RequestRecorder
from worker.api.services import ApiServices

OPENAPI = "/api/v1/openapi.json"

_ABOUT = """Enqueue documents, and see what became of them.

Send an API key with every request but health: `Authorization: Bearer KEY`, or `X-API-Key: KEY`. A key is confined to
its tenant; what belongs to another is not found. Every error has the form
`{"error": {"code", "message", "request_id"}}`. Lists come in pages: send a page's `next` as `after`."""


def build_app(services: ApiServices) -> FastAPI:
    """Return the application; it closes the services when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await services.close()

    app = FastAPI(
        title="mobius-ingest",
        summary="Status API",
        description=_ABOUT,
        version=_version(),
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.services = services
    errors.install(app)
    app.add_middleware(RequestRecorder)
    for module in (documents, runs, tasks, searching, reconciliations, health):
        app.include_router(module.router)
    return app


def _version() -> str:
    try:
        return metadata.version("mobius-ingest")
    except metadata.PackageNotFoundError:  # run from its source tree
        return "0"
