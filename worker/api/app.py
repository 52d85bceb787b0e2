"""The HTTP application: every router, one form of errors, and a description of itself.

There is no page that shows the description: those load their scripts from other people's servers, and nothing here
makes a browser talk to anyone else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from worker.api import dead_letters, documents, errors, health, reconciliations, runs, searching, tasks
from worker.api.requests import RequestRecorder
from worker.api.services import ApiServices

OPENAPI = "/api/v1/openapi.json"

_ABOUT = """Enqueue documents, see what became of them, and say what is to be done about them.

Send an API key with every request but health: `Authorization: Bearer KEY`, or `X-API-Key: KEY`. A key is confined to
its tenant; what belongs to another is not found. Every error has the form
`{"error": {"code", "message", "request_id"}}`. Lists come in pages: send a page's `next` as `after`."""

_ROUTERS = tuple(module.router for module in (documents, runs, dead_letters, tasks, searching, reconciliations, health))


class _Application(FastAPI):
    """FastAPI that keeps the nulls in its examples; by itself it drops them from the description."""

    def openapi(self) -> dict[str, Any]:
        """Return the description of the API."""
        if self.openapi_schema is None:
            _restore_examples(super().openapi()["paths"])
        return super().openapi()


def build_app(services: ApiServices) -> FastAPI:
    """Return the application; it closes the services when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await services.close()

    app = _Application(
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
    for router in _ROUTERS:
        app.include_router(router)
    return app


def _restore_examples(paths: dict[str, Any]) -> None:
    for route in (route for router in _ROUTERS for route in router.routes if isinstance(route, APIRoute)):
        for method in route.methods or ():
            replies = paths[route.path][method.lower()]["responses"]
            for status, reply in route.responses.items():
                replies[str(status)]["content"]["application/json"] |= reply["content"]["application/json"]


def _version() -> str:
    try:
        return metadata.version("mobius-ingest")
    except metadata.PackageNotFoundError:  # run from its source tree
        return "0"
