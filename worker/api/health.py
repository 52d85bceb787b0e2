"""Health: whether the process answers, and whether it can do its work. Neither asks for a key nor shows an address.

Without Postgres nothing is true, so the process is not ready. Without Redis or Qdrant runs and documents are still
answered and uploads still taken in, so it is ready and says that it is degraded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter

from models import schema
from pipeline.errors import IngestError
from worker.api import examples
from worker.api.errors import TooSlow
from worker.api.schemas import Alive, Readiness, described
from worker.api.services import ApiServices, ServicesOf

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/health", tags=["health"])

#: Seconds for each service's answer.
_PATIENCE = 2.0


@router.get("/live", summary="Tell whether the process answers", responses=described(examples.ALIVE))
async def live() -> Alive:
    """Asks nobody. A process that does not answer this is to be restarted."""
    return Alive("alive")


@router.get("/ready", summary="Tell whether requests can be served", responses=described(examples.READY, 503))
async def ready(services: ServicesOf) -> Readiness:
    """503: Postgres does not answer, or has an older schema. Redis and Qdrant may be down; then it is degraded."""
    _, redis, qdrant = await asyncio.gather(
        _within(services.reader.read, schema.require), _state("redis", services.results.ping), _qdrant(services)
    )
    status = "ready" if redis == qdrant == "ok" else "degraded"
    return Readiness(status, {"postgres": "ok", "redis": redis, "qdrant": qdrant})


async def _qdrant(services: ApiServices) -> str:
    return await _state("qdrant", lambda: services.searchers.run(lambda: services.index().ping()))


async def _state(name: str, ask: Callable[[], Awaitable[None]]) -> str:
    try:
        await _within(ask)
    except IngestError as exc:
        log.warning("service_degraded", service=name, error=exc.code, reason=str(exc))
        return "down"
    return "ok"


async def _within(ask: Callable[..., Awaitable[None]], *args: object) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await ask(*args)
    except TimeoutError as exc:
        raise TooSlow from exc
