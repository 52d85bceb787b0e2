"""Look at Redis. What a managed one refuses to tell is noted, not guessed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.retry import Retry

from pipeline.errors import MisconfiguredError
from pipeline.types import Stage
from worker.doctor.clock import Skew
from worker.doctor.findings import Silence, one_line
from worker.doctor.redis import RedisSeen
from worker.local.urls import masked
from worker.settings import Settings

#: For connecting and for one answer (seconds).
TIMEOUT = 2.0


def look(settings: Settings) -> RedisSeen | Silence:
    """Return what Redis says about itself."""
    try:
        url = settings.broker_url
        with connect(url) as client:
            client.ping()
            return _seen(url, client)
    except MisconfiguredError as exc:
        return Silence.of(exc)
    except ValueError:
        return Silence("REDIS_URL is not usable", "set it to redis://:PASSWORD@HOST:PORT.")
    except AuthenticationError as exc:
        return Silence(f"Redis refuses the password: {one_line(str(exc))}", "set the right one in REDIS_URL.")
    except (RedisError, OSError) as exc:
        return Silence(f"Redis does not answer: {one_line(str(exc))}", "start it, and check the address in REDIS_URL.")


def connect(url: str) -> redis.Redis:
    """Return a client that tries once and does not wait long."""
    return redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def _seen(url: str, client: redis.Redis) -> RedisSeen:
    unseen: list[str] = []

    def told(command: str, ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = ask()
        # Managed services rename commands or forbid them.
        except (NoPermissionError, ResponseError):
            unseen.append(command)
            return {}
        return answer

    info = told("INFO", client.info)
    config = told("CONFIG", lambda: client.config_get("appendfsync"))
    append_only = info.get("aof_enabled")
    return RedisSeen(
        address=masked(url),
        skew=_skew(client),
        version=str(info.get("redis_version", "")),
        mode=str(info.get("redis_mode", "")),
        role=str(info.get("role", "")),
        policy=str(info.get("maxmemory_policy", "")),
        is_append_only=None if append_only is None else bool(append_only),
        last_write=str(info.get("aof_last_write_status", "")),
        appendfsync=str(config.get("appendfsync", "")),
        used=int(info.get("used_memory", 0)),
        limit=int(info.get("maxmemory", 0)),
        queued=told("LLEN", lambda: {"queued": _queued(client)}).get("queued"),
        unseen=tuple(unseen),
    )


def _queued(client: redis.Redis) -> int:
    return sum(int(client.llen(stage.value)) for stage in Stage)


def _skew(client: redis.Redis) -> Skew:
    before = time.time()
    seconds, microseconds = client.time()
    after = time.time()
    return Skew(float(seconds) + float(microseconds) / 1e6 - (before + after) / 2, (after - before) / 2)
