"""Join settings to adapters: the one place where everything meets."""

from __future__ import annotations

import os
import socket

from models.ledger import PostgresLedger
from models.session import open_engine
from pipeline.chunk import ChunkBudget
from pipeline.types import Stage
from tasks.base import StageContext, StagePolicy
from worker.embedding import build_embedder, build_index, versions
from worker.settings import Settings


def build_context(settings: Settings) -> StageContext:
    """Return what the stages work with. Nothing connects before its first use.

    Raises:
        MisconfiguredError: An address that is needed is not set.
    """
    embedder = build_embedder(settings)
    ledger = PostgresLedger(
        open_engine(settings.require("database_url"), pool_size=settings.pool_size),
        max_attempts=settings.max_attempts,
    )
    return StageContext(
        ledger=ledger,
        index=build_index(settings, embedder.model),
        embedder=embedder,
        policy=stage_policy(settings),
        budget=ChunkBudget(),
        versions=versions(embedder.model),
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )


def stage_policy(settings: Settings) -> StagePolicy:
    """Return the times and the window of the stages."""
    cpu, io = float(settings.cpu_time_limit), float(settings.io_time_limit)
    return StagePolicy(
        lease_seconds=settings.lease_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
        retry_seconds=settings.retry_seconds,
        dispatch_timeout_seconds=settings.dispatch_timeout_seconds,
        dispatch_window=settings.dispatch_window,
        deadlines={Stage.PARSE: cpu, Stage.CHUNK: cpu, Stage.EMBED: io, Stage.UPSERT: io},
    )
