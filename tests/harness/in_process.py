"""Producer, dispatcher and worker in this process over the shipped fakes, and what the world is in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.fake_bench import FakeBench
from harness.files_source import FilesSource, Unreported
from harness.revisions import functions
from harness.stage_context import STAGES
from harness.steps import following

from pipeline.testing import RecordingEmbedder
from pipeline.types import Stage, Token
from tasks.base import StageContext
from tasks.planning import PlanOptions, plan_run

#: Texts per provider call; small, so that a slice takes several.
CALL = 2
OPTIONS = PlanOptions("versions-1", allow_delete=True, slice_documents=2)
BEFORE = {
    "edited.py": functions("one", "two", "three", "four"),
    "gone.py": functions("five", "six"),
    "same.py": functions("seven"),
    "moved.py": functions("eight", "nine"),
}
AFTER = {
    "edited.py": functions("one", "zwei", "drei", "four"),
    "new.py": functions("ten", "eleven", "twelve"),
    "same.py": functions("seven"),
    "moved.py": functions("first", "eight", "nine"),
    "empty.py": "",
}


def fresh_bench() -> FakeBench:
    """Return a ledger of its own, with provider calls of two texts."""
    made = FakeBench(max_attempts=4)
    made.embedder = RecordingEmbedder(replace(made.embedder.model, max_inputs=CALL))
    made.context = replace(made.context, embedder=made.embedder)
    return made


def ingest(bench: FakeBench, files: Mapping[str, str], intake: Any = None) -> FilesSource:
    """Plan a run over files with the versions of the bench's workers, as `mobius ingest` does."""
    source = FilesSource(files)
    options = replace(OPTIONS, versions=bench.context.versions)
    plan_run(intake or bench.intake, source, bench.source, options, Unreported())
    return source


def work_off(context: StageContext) -> None:
    """Do what dispatcher and worker do until nothing is ready."""
    while tokens := context.ledger.take_ready(100, oldest_first=False):
        for token in tokens:
            run_chain(context, token)


def run_chain(context: StageContext, token: Token) -> None:
    """Run the slice's stages from the token's on."""
    for stage in token.stage.following():
        run_stage(context, token)
        token = following(token) if stage is not Stage.UPSERT else token


def run_stage(context: StageContext, token: Token) -> None:
    claim = context.ledger.claim(token, "host:1", 60.0)
    assert claim is not None
    STAGES[claim.token.stage].run(context, claim)


def recover(bench: FakeBench) -> None:
    """Let the dead be noticed, and the living go on."""
    bench.pass_time(61.0)
    bench.ledger.sweep(60.0)
    work_off(bench.context)


def world(bench: FakeBench) -> dict[str, Any]:
    """Return what is true in the end, without the ids that differ from ledger to ledger; check that it is all true."""
    bench.assert_index_is_true()
    assert bench.reserved() == set()
    assert bench.chunk_sets() == set()
    assert bench.dead_letters() == []
    assert {row.state.value for row in bench.slices()} == {"done"}
    paths = {row.id: row.path for row in bench.documents()}
    return {
        "documents": [
            (row.path, row.state.value, row.revision, row.versions, row.indexed_generation == row.generation)
            for row in bench.documents()
        ],
        "chunks": sorted((paths[row.document_id], row.chunk.ordinal, row.chunk.name) for row in bench.standing()),
        "points": sorted(
            (str(each.payload["path"]), each.vector, each.sparse.indices) for each in bench.index.points.values()
        ),
    }


def outcomes(bench: FakeBench) -> list[tuple[str, int, str]]:
    """Return how every run left its documents: path, generation and outcome."""
    paths = {row.id: row.path for row in bench.documents()}
    return sorted((paths[row.document_id], row.generation, row.outcome.value) for row in bench.run_documents())


def texts(bench: FakeBench) -> dict[str, list[str]]:
    """Return the names of the chunks of every document that is indexed."""
    paths = {row.id: row.path for row in bench.documents()}
    names: dict[str, list[str]] = {row.path: [] for row in bench.documents() if row.state.value == "indexed"}
    for row in bench.standing():
        names[paths[row.document_id]].append(row.chunk.name)
    return names
