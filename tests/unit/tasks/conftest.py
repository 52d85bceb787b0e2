"""A stage context without any store."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness.shelf import Shelf

from pipeline.chunk import ChunkBudget
from pipeline.testing import FakeIndex, FakeLeases, RecordingEmbedder
from pipeline.types import Stage
from tasks.base import StageContext, StagePolicy


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest.fixture
def embedder() -> RecordingEmbedder:
    return RecordingEmbedder()


@pytest.fixture
def context(leases: FakeLeases, embedder: RecordingEmbedder) -> StageContext:
    """Its ledger knows leases only (a test that needs more brings it); the heartbeat beats all the time."""
    return StageContext(
        ledger=leases,
        index=FakeIndex(embedder.model),
        embedder=embedder,
        policy=StagePolicy(
            lease_seconds=60.0,
            heartbeat_seconds=0.002,
            retry_seconds=5.0,
            dispatch_timeout_seconds=20.0,
            dispatch_window=8,
            deadlines=dict.fromkeys(Stage, 60.0),
        ),
        budget=ChunkBudget(),
        versions="versions-1",
        worker="host:1",
    )


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def shop(context: StageContext, shelf: Shelf, embedder: RecordingEmbedder) -> StageContext:
    """Calls take four texts each."""
    small = RecordingEmbedder(replace(embedder.model, max_inputs=4))
    return replace(context, ledger=shelf, embedder=small)
