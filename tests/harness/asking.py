"""Search as the API and the command line do, in the test's own process and without a provider."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Engine

from models.searching import CommittedChunks
from pipeline.report import SearchHit
from pipeline.search import SearchMode, SearchRequest
from pipeline.testing.vectors import hashed_vector
from pipeline.types import EmbeddingModel, Scope
from tasks.searching import search
from worker.embedding import build_index
from worker.settings import load_settings


def ask(env: Mapping[str, str], engine: Engine, scope: Scope, words: str) -> list[SearchHit]:
    """Return all that a search finds where the stub is the provider."""
    settings = load_settings(env)
    model = EmbeddingModel("openai", settings.openai_model, settings.openai_dims)
    provider: Any = SimpleNamespace(embed_query=lambda text: hashed_vector(text, model.dims))
    request = SearchRequest(words, 1000, SearchMode.DENSE)
    return search(build_index(settings, model), provider, CommittedChunks(engine), scope, request)
