"""Points of an older kind are written anew with the next revision, once, and nothing is bought for it."""

from __future__ import annotations

from dataclasses import replace

from harness.revisions import functions
from harness.steps import Steps

from pipeline.types import Stage
from tasks.indexing import bring_to_index


def written(bench: Steps, versions: str) -> int:
    """Ingest one document with workers of these versions, and return how many points were written."""
    bench.context = replace(bench.context, versions=versions)
    bench.ingest({"a.py": functions("one", "two")})
    return bring_to_index(bench.context, bench.claim_at(Stage.UPSERT))["written"]


def test_only_another_version_of_sparse_vectors_writes_the_same_chunks_again(bench: Steps) -> None:
    assert written(bench, "chunker-1 sparse-1") == 2
    bought = len(bench.embedder.calls)
    assert written(bench, "chunker-2 sparse-1") == 0
    assert written(bench, "chunker-2 sparse-2") == 2
    assert written(bench, "chunker-2 sparse-2") == 0
    assert len(bench.embedder.calls) == bought
    assert bench.only_document().versions == "chunker-2 sparse-2"
    bench.assert_index_is_true()


def test_what_all_points_of_a_document_say_of_it_is_written_with_every_chunk(bench: Steps) -> None:
    assert written(bench, "sparse-1") == 2
    bought = len(bench.embedder.calls)
    bench.ingest({"a.py": functions("one", "two") + "# @generated\n"})
    bench.finish()
    assert {tuple(point.payload["traits"]) for point in bench.index.points.values()} == {("generated",)}
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    assert {tuple(point.payload["traits"]) for point in bench.index.points.values()} == {()}
    assert len(bench.embedder.calls) <= bought + 1
    bench.assert_index_is_true()
