"""Choose by the settings how a search ranks."""

from __future__ import annotations

from pipeline.search import SearchMode, default_mode
from worker.embedding import embedding_model
from worker.settings import Settings


def search_mode(settings: Settings) -> SearchMode:
    """Return how a search ranks that does not say it: as the settings do, else as suits the model."""
    if settings.search_mode == "auto":
        return default_mode(embedding_model(settings))
    return SearchMode(settings.search_mode)
