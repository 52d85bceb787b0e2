"""What Celery believes about a task, read from its result backend without blocking the event loop.

Nothing depends on it: results expire, and Redis may lose them all. Celery's own client is synchronous, so only its
key and its decoding are used here, beside a bounded asynchronous client of our own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import redis.asyncio as redis
from celery import Celery
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from pipeline.errors import ServiceUnavailable

#: Seconds for one answer in all; who asks is waiting for the ledger's half of it.
TIMEOUT = 1.5
_CONNECTIONS = 8
#: Celery's word for a task of which it knows nothing.
_NOTHING_KNOWN = "PENDING"


@dataclass(frozen=True, slots=True)
class Belief:
    """What Celery has stored. ``counts`` is a finished task's result; ``error`` is what a failed one raised.

    ``state`` is Celery's own word. PENDING means that it knows nothing (not started, dropped as stale, or expired),
    and UNAVAILABLE is ours: Redis does not answer.
    """

    state: str
    counts: dict[str, int] | None = None
    error: str = ""
    finished_at: str = ""


UNAVAILABLE = Belief("UNAVAILABLE")


class CeleryResults:
    """Reads task results; without an address everything is unavailable. Nothing connects before the first use."""

    def __init__(self, result_url: str | None) -> None:
        self._client = _client(result_url) if result_url else None
        self._celery = Celery("mobius-api", set_as_current=False)
        self._celery.conf.update(
            result_backend=result_url or "disabled://", result_serializer="json", accept_content=["json"]
        )

    async def belief(self, task_id: str) -> Belief:
        """Return what Celery believes about a task."""
        if self._client is None:
            return UNAVAILABLE
        backend = self._celery.backend
        try:
            async with asyncio.timeout(TIMEOUT):
                payload = await self._client.get(backend.get_key_for_task(task_id))
        except (RedisError, OSError, TimeoutError):
            return UNAVAILABLE
        return _belief(backend.decode(payload)) if payload else Belief(_NOTHING_KNOWN)

    async def ping(self) -> None:
        """Return when Redis answers.

        Raises:
            ServiceUnavailable: It does not, or there is no address.
        """
        if self._client is None:
            raise ServiceUnavailable("Redis")
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._client.ping()
        except (RedisError, OSError, TimeoutError) as exc:
            raise ServiceUnavailable("Redis") from exc

    async def close(self) -> None:
        """Release the connections; safe to call twice."""
        if self._client is not None:
            await self._client.aclose()


def _client(result_url: str) -> redis.Redis:
    # Celery takes the names of Python's constants in this parameter, redis-py takes shorter ones.
    for word in ("REQUIRED", "OPTIONAL", "NONE"):
        result_url = result_url.replace(f"ssl_cert_reqs=CERT_{word}", f"ssl_cert_reqs={word.lower()}")
    pool = redis.BlockingConnectionPool.from_url(
        result_url,
        max_connections=_CONNECTIONS,
        timeout=TIMEOUT,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 1),  # a connection that a restart of Redis has cut is replaced at once
    )
    return redis.Redis.from_pool(pool)


def _belief(meta: dict[str, Any]) -> Belief:
    result = meta.get("result")
    finished_at = str(meta.get("date_done") or "")
    if not isinstance(result, dict):
        return Belief(meta["status"], finished_at=finished_at)
    if "exc_type" in result:
        said = result.get("exc_message")
        text = " ".join(map(str, said)) if isinstance(said, list | tuple) else str(said)
        return Belief(meta["status"], error=f"{result['exc_type']}: {text}", finished_at=finished_at)
    return Belief(meta["status"], counts=result, finished_at=finished_at)
