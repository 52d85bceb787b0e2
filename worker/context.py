"""Join settings to adapters: the one place where everything meets."""

from __future__ import annotations

import os
import socket

from models.ledger import PostgresLedger
from models.session import open_engine
from pipeline.chunk import CHUNKER_VERSION, ChunkBudget
from pipeline.header import HEADER_VERSION
from pipeline.parse.parser import OUTLINE_VERSION
from pipeline.ports import Embedder, Index
from pipeline.types import Stage
from tasks.base import StageContext, StagePolicy
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
        index=build_index(settings, embedder),
        embedder=embedder,
        policy=stage_policy(settings),
        budget=ChunkBudget(),
        versions=versions(embedder),
        worker=f"{socket.gethostname()}:{os.getpid()}",
    )


def build_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings choose."""
    if settings.embedder == "openai":
        from worker.adapters.openai import OpenAIEmbedder  # noqa: PLC0415  the SDK takes 0.5 s to import

        key = settings.openai_api_key
        return OpenAIEmbedder(
            api_key=key.get_secret_value() if key else "",
            base_url=settings.openai_base_url,
            model_name=settings.openai_model,
            dims=settings.openai_dims,
            concurrency=settings.openai_concurrency,
            timeout=settings.openai_timeout,
            max_inputs=settings.openai_max_inputs,
        )
    from worker.adapters.lexical import LexicalEmbedder  # noqa: PLC0415  the other one is not needed

    return LexicalEmbedder()


def build_index(settings: Settings, embedder: Embedder) -> Index:
    """Return the index of the embedder's model."""
    from worker.adapters.qdrant import QdrantIndex  # noqa: PLC0415  takes 0.5 s to import
    from worker.adapters.qdrant_calls import connect_qdrant  # noqa: PLC0415  the same

    key = settings.qdrant_api_key
    client = connect_qdrant(settings.require("qdrant_url"), key.get_secret_value() if key else None)
    return QdrantIndex(client, embedder.model)


def versions(embedder: Embedder) -> str:
    """Return what a document's chunks depend on besides its bytes; a change makes every document outdated."""
    return f"outline-{OUTLINE_VERSION} chunker-{CHUNKER_VERSION} header-{HEADER_VERSION} {embedder.model.key}"


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
