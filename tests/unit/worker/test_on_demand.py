"""A port that is made on demand is made once, at its first use, and is in every other way the port itself."""

from __future__ import annotations

import pytest
from harness.imports import imported_by

from pipeline.errors import BadCredentials
from pipeline.testing import RecordingEmbedder
from worker.on_demand import on_demand

#: What takes most memory, and only the stages embed and upsert, reconciliations and searches need.
HEAVY = {"openai", "qdrant_client", "fastapi"}


def test_it_is_made_at_the_first_use_and_once() -> None:
    made: list[RecordingEmbedder] = []

    def make() -> RecordingEmbedder:
        made.append(RecordingEmbedder())
        return made[-1]

    embedder = on_demand(make)
    assert made == []
    assert embedder.model is embedder.model
    embedder.calls.append(())
    assert len(made) == 1
    assert made[0].calls == [()]


def test_what_cannot_be_made_says_so_at_every_use() -> None:
    def make() -> RecordingEmbedder:
        raise BadCredentials("the key is wrong")

    embedder = on_demand(make)
    for _ in range(2):
        with pytest.raises(BadCredentials, match="the key is wrong"):
            _ = embedder.model


def test_a_process_that_neither_embeds_nor_writes_points_imports_no_client_for_it() -> None:
    program = (
        "import worker.dispatcher; from worker.app import app; app.loader.import_default_modules();"
        "app.stage_context.ledger.close()"
    )
    env = {
        "DATABASE_URL": "postgresql://u:p@127.0.0.1:9/db",
        "REDIS_URL": "redis://127.0.0.1:9",
        "QDRANT_URL": "http://127.0.0.1:9",
        "MOBIUS_EMBEDDER": "openai",
        "OPENAI_API_KEY": "key",
    }
    imported = imported_by(program, env)
    assert {"celery", "sqlalchemy"} <= imported
    assert HEAVY & imported == set()
