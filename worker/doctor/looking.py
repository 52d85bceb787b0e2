"""Look at everything at once: whatever is down, the rest is still seen, within a few seconds."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import MisconfiguredError
from worker import local
from worker.doctor import embedder, fleet, flower, installation, postgres, qdrant, redis
from worker.doctor.disk import DiskSpace
from worker.doctor.findings import Silence
from worker.doctor.questions import Question
from worker.local.fleet import FLOWER
from worker.settings import Settings

#: Everything that was asked has to have answered by then (seconds).
LIMIT = 4.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What all probes saw."""

    stack: local.StackStatus | Silence
    postgres: postgres.PostgresSeen | Silence
    redis: redis.RedisSeen | Silence
    qdrant: qdrant.QdrantSeen | Silence
    workers: fleet.WorkersSeen | Silence
    flower: flower.FlowerSeen | Silence | None
    embedder: embedder.ProviderSeen | Silence | None
    home: DiskSpace | Silence
    temporary: DiskSpace | Silence
    installed: installation.Installed


def look(settings: Settings, limit: float = LIMIT) -> Seen:
    """Ask all probes at once; one that has not answered after ``limit`` seconds is left behind."""
    # Together they take a second to import, and other commands need none of them.
    from worker.doctor.probes import (  # noqa: PLC0415
        disk,
        embedder,
        flower,
        installation,
        postgres,
        qdrant,
        redis,
        workers,
    )

    stack = _stack(settings)
    address = settings.flower_url or _flower_of(stack)
    until = time.monotonic() + limit
    asked_postgres = Question("Postgres", lambda: postgres.look(settings))
    asked_redis = Question("Redis", lambda: redis.look(settings))
    asked_qdrant = Question("Qdrant", lambda: qdrant.look(settings))
    asked_workers = Question("workers", lambda: workers.look(settings))
    asked_flower = Question("Flower", lambda: flower.look(address))
    asked_embedder = Question("embedder", lambda: embedder.look(settings))
    asked_home = Question("MOBIUS_HOME", lambda: disk.look(settings.home))
    asked_temporary = Question("temporary files", lambda: disk.look(Path(tempfile.gettempdir())))
    return Seen(
        stack=stack,
        postgres=asked_postgres.answer(until),
        redis=asked_redis.answer(until),
        qdrant=asked_qdrant.answer(until),
        workers=asked_workers.answer(until),
        flower=asked_flower.answer(until),
        embedder=asked_embedder.answer(until),
        home=asked_home.answer(until),
        temporary=asked_temporary.answer(until),
        installed=installation.look(),
    )


def _stack(settings: Settings) -> local.StackStatus | Silence:
    try:
        # What answers at the operator's own addresses is looked at in full anyway.
        return local.status(settings.home, ask=False)
    except MisconfiguredError as exc:
        return Silence.of(exc)


def _flower_of(stack: local.StackStatus | Silence) -> str | None:
    if isinstance(stack, Silence) or not stack.is_running:
        return None
    return next((child.url for child in stack.children if child.name == FLOWER), None)
