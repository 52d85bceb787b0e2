"""Join settings to adapters: the one place where everything meets."""

from __future__ import annotations

import os
import socket

from models.ledger import PostgresLedger
from models.session import open_engine
from pipeline.types import Stage
from tasks.base import StageContext, StagePolicy
from worker.chunking import chunk_budget, versions
from worker.embedding import build_embedder, build_index, embedding_model
from worker.on_demand import on_demand
from worker.reconciling import reconcile_context
from worker.settings import Settings


def build_context(settings: Settings) -> StageContext:
    """Return what the stages work with. Nothing connects before its first use.

    Index and embedder are not even imported before: their clients take 50 MB and more, and most processes (those that
    parse and chunk, the dispatcher, a worker's parent) never use them.

    Raises:
        MisconfiguredError: An address that is needed is not set.
    """
    model = embedding_model(settings)
    settings.require("qdrant_url")
    embedder = on_demand(lambda: build_embedder(settings))
    engine = open_engine(settings.require("database_url"), pool_size=settings.pool_size)
    index = on_demand(lambda: build_index(settings, model))
    return StageContext(
        ledger=PostgresLedger(engine, max_attempts=settings.max_attempts),
        index=index,
        embedder=embedder,
        policy=stage_policy(settings),
        budget=chunk_budget(settings),
        versions=versions(settings),
        worker=f"{socket.gethostname()}:{os.getpid()}",
        reconcile=reconcile_context(settings, engine, index, model),
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
