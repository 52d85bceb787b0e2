"""Say by the settings how large chunks may be, and what documents depend on besides their bytes."""

from __future__ import annotations

from pipeline.chunk import CHUNKER_VERSION, ChunkBudget
from pipeline.header import HEADER_VERSION
from pipeline.parse.parser import OUTLINE_VERSION
from pipeline.sparse import SPARSE_VERSION
from worker.embedding import embedding_model
from worker.settings import Settings


def chunk_budget(settings: Settings) -> ChunkBudget:
    """Return how large chunks may be: as the settings say, and never above what the embedder takes in one text."""
    most = settings.chunk_max_bytes
    budget = ChunkBudget(most, settings.chunk_target_bytes or most, settings.chunk_packing)
    return budget.within(embedding_model(settings).max_input_tokens)


def versions(settings: Settings) -> str:
    """Return what a document's points depend on besides its bytes; a change makes every document outdated."""
    budget = chunk_budget(settings)
    size = f"{budget.max_bytes}/{budget.target_bytes}/{budget.packing}"
    chunking = f"outline-{OUTLINE_VERSION} chunker-{CHUNKER_VERSION} header-{HEADER_VERSION} {size}"
    return f"{chunking} sparse-{SPARSE_VERSION} {embedding_model(settings).key}"
