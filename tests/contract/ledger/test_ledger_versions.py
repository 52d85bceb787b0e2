"""A slice and a document keep the versions they are of; points of an older kind are written anew, once, for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness.revisions import functions
from harness.steps import Steps, following

from pipeline.intake import SLICE_VERSION
from pipeline.types import Stage
from tasks.indexing import bring_to_index


def written(bench: Steps, versions: str) -> int:
    """Ingest one document with workers of these versions, and return how many points were written."""
    bench.context = replace(bench.context, versions=versions)
    bench.ingest({"a.py": functions("one", "two")})
    return bring_to_index(bench.context, bench.claim_at(Stage.UPSERT))["written"]


def test_a_slice_keeps_the_version_that_it_was_planned_with(bench: Steps) -> None:
    bench.ingest({"a.py": functions("one"), "b.py": functions("two")})
    planned = bench.only_slice()
    assert planned.version == SLICE_VERSION
    bench.change("slices", planned.id, version=7)
    claim = bench.claim()
    assert claim.version == 7
    bench.ledger.hand_back(claim, "Error", "", 0.0, forgive=True)
    bench.wear_out(planned.id)
    assert bench.ledger.sweep(60.0).split == 1
    assert {row.version for row in bench.slices()} == {7}


@pytest.mark.parametrize("stage", [Stage.EMBED, Stage.UPSERT])
def test_a_slice_is_handed_back_to_be_chunked_again(bench: Steps, stage: Stage) -> None:
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(stage)
    assert bench.ledger.hand_back(claim, "MadeByOlder", "again", 0.0, forgive=True, stage=Stage.CHUNK)
    row = bench.only_slice()
    assert (row.stage, row.state, row.attempts, row.error) == (Stage.CHUNK, "ready", 0, "MadeByOlder")
    assert bench.ledger.claim(claim.token, "late", 60.0) is None
    bought = len(bench.embedder.calls)
    bench.finish()
    assert bench.outcomes() == ["indexed"]
    assert len(bench.embedder.calls) == (1 if stage is Stage.EMBED else bought)
    bench.assert_index_is_true()


def test_a_document_is_of_the_version_that_chunked_it_whoever_brings_it_into_the_index(bench: Steps) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.context = replace(bench.context, versions="chunker-1 sparse-1 a model")
    claim = bench.claim_at(Stage.EMBED)
    bench.context = replace(bench.context, versions="chunker-2 sparse-2 a model")
    bench.work(claim)
    bench.work(bench.claim(following(claim.token)))
    assert bench.only_document().versions == "chunker-1 sparse-2 a model"
    assert written(bench, "chunker-2 sparse-2 a model") == 0
    assert bench.only_document().versions == "chunker-2 sparse-2 a model"


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
