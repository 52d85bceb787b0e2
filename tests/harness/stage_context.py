"""The stages' context for a test, and the stages by their name."""

from __future__ import annotations

from signal import SIGSEGV

import tasks.ingest as stages
from pipeline.chunk import ChunkBudget
from pipeline.crashes import killed_by
from pipeline.ports import Embedder, Index, Ledger
from pipeline.types import Stage
from tasks.base import StageContext, StagePolicy

STAGES = {Stage.PARSE: stages.parse, Stage.CHUNK: stages.chunk, Stage.EMBED: stages.embed, Stage.UPSERT: stages.upsert}

#: A process that left evidence against what it was at.
CRASHED = killed_by(SIGSEGV, "File a.py, line 1")


def stage_context(ledger: Ledger, index: Index, embedder: Embedder) -> StageContext:
    """Return a context with long leases, and with chunks so small that tiny documents have several."""
    return StageContext(
        ledger=ledger,
        index=index,
        embedder=embedder,
        policy=StagePolicy(
            lease_seconds=60.0,
            heartbeat_seconds=20.0,
            retry_seconds=1.0,
            dispatch_timeout_seconds=60.0,
            dispatch_window=100,
            deadlines=dict.fromkeys(Stage, 60.0),
        ),
        budget=ChunkBudget(max_bytes=40, target_bytes=16),
        versions="versions-1",
        worker="host:1",
    )
