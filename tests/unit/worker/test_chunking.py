"""The settings say how large chunks may be, and whatever changes chunks makes documents outdated."""

from __future__ import annotations

import pytest

from pipeline.chunk import ChunkBudget
from pipeline.sparse import SPARSE_VERSION
from worker import chunking
from worker.chunking import chunk_budget, versions
from worker.embedding import build_embedder, embedding_model
from worker.settings import BadSettings, load_settings

OPENAI = {"MOBIUS_EMBEDDER": "openai", "OPENAI_API_KEY": "key", "REDIS_URL": "redis://127.0.0.1:9"}


def test_documents_are_committed_with_the_version_of_their_sparse_vectors() -> None:
    assert f"sparse-{SPARSE_VERSION}" in versions(load_settings({})).split()


def test_chunks_are_kept_below_what_the_model_takes() -> None:
    assert chunk_budget(load_settings({})) == ChunkBudget()
    small = load_settings(OPENAI | {"MOBIUS_OPENAI_MAX_INPUT_TOKENS": "256"})
    assert embedding_model(small).max_input_tokens == 256
    assert build_embedder(small).model.max_input_tokens == 256
    assert chunk_budget(small) == ChunkBudget(168, 168)


@pytest.mark.parametrize(
    "environ",
    [
        {"MOBIUS_CHUNK_MAX_BYTES": "1500"},
        {"MOBIUS_CHUNK_TARGET_BYTES": "1500"},
        {"MOBIUS_CHUNK_PACKING": "greedy"},
        {"MOBIUS_OPENAI_MAX_INPUT_TOKENS": "500"},
        {"MOBIUS_OPENAI_MODEL": "another"},
    ],
)
def test_a_document_is_outdated_by_whatever_would_change_its_chunks(environ: dict[str, str]) -> None:
    assert versions(load_settings(OPENAI | environ)) != versions(load_settings(OPENAI))


def test_a_new_chunker_makes_documents_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings({})
    before = versions(settings)
    for name in ("CHUNKER_VERSION", "HEADER_VERSION", "OUTLINE_VERSION"):
        monkeypatch.setattr(chunking, name, 999)
        assert versions(settings) != before
        monkeypatch.undo()


def test_a_target_above_the_largest_chunk_is_refused() -> None:
    with pytest.raises(BadSettings, match="MOBIUS_CHUNK_TARGET_BYTES"):
        load_settings({"MOBIUS_CHUNK_MAX_BYTES": "500", "MOBIUS_CHUNK_TARGET_BYTES": "501"})
