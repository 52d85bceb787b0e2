"""Stages of another version meet in one slice: what is newer is left alone, what is older made again, and it ends well.

One process has one version, so the other one's is put in its place for as long as a stage of it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from celery.exceptions import Reject
from harness.fake_bench import FakeBench
from harness.in_process import BEFORE, fresh_bench, ingest, run_stage, texts, work_off, world
from harness.revisions import functions
from harness.stage_context import STAGES
from harness.steps import following

from pipeline.chunk_codec import PAYLOAD_VERSION
from pipeline.parse.parser import OUTLINE_VERSION
from pipeline.types import Claim, Stage, Token
from tasks.base import IngestApp, StageContext, StageTask


@pytest.fixture
def bench() -> FakeBench:
    return fresh_bench()


@contextmanager
def another_version(step: int) -> Iterator[None]:
    """Let this process be of a version that many steps newer for the block."""
    with (
        patch("pipeline.chunk_codec.PAYLOAD_VERSION", PAYLOAD_VERSION + step),
        patch("tasks.ingest.OUTLINE_VERSION", OUTLINE_VERSION + step),
        patch("pipeline.parse.parser.OUTLINE_VERSION", OUTLINE_VERSION + step),
        patch("pipeline.outline_codec.OUTLINE_VERSION", OUTLINE_VERSION + step),
    ):
        yield


def refuse(bench: FakeBench, token: Token) -> None:
    """Deliver a message as Celery would; the stage must give its slice back."""
    app = IngestApp("test", build_context=lambda: bench.context, set_as_current=False)

    def stage(context: StageContext, claim: Claim) -> dict[str, int]:
        counts: dict[str, int] = STAGES[token.stage].run(context, claim)
        return counts

    task = app.task(stage, name="test.stage", base=StageTask, shared=False)
    with pytest.raises(Reject):
        task(str(token.slice_id), token.stage.value, token.seq)


def chunked_by(bench: FakeBench, step: int, stage: Stage) -> Token:
    """Let another version bring the only slice up to a stage; return that stage's token."""
    token = bench.take()
    with another_version(step):
        while token.stage is not stage:
            run_stage(bench.context, token)
            token = following(token)
    return token


@pytest.mark.parametrize("step", [-1, 1])
def test_outlines_of_another_version_are_made_anew(bench: FakeBench, step: int) -> None:
    bench.ingest(BEFORE)
    token = chunked_by(bench, step, Stage.CHUNK)
    for _ in range(3):
        run_stage(bench.context, token)
        token = following(token) if token.stage is not Stage.UPSERT else token
    assert set(bench.outcomes()) == {"indexed"}
    world(bench)


@pytest.mark.parametrize("stage", [Stage.EMBED, Stage.UPSERT])
def test_chunks_of_a_newer_version_wait_for_a_worker_of_it(bench: FakeBench, stage: Stage) -> None:
    bench.ingest(BEFORE)
    refuse(bench, chunked_by(bench, 1, stage))
    row = bench.only_slice()
    assert (row.stage, row.state, row.attempts, row.error) == (stage, "ready", 0, "MadeByNewer")
    bench.pass_time(2.0)
    with another_version(1):
        work_off(bench.context)
    assert set(bench.outcomes()) == {"indexed"}
    assert len(bench.embedder.bought) == len(set(bench.embedder.bought))
    world(bench)


@pytest.mark.parametrize("stage", [Stage.EMBED, Stage.UPSERT])
def test_chunks_of_an_older_version_are_made_again(bench: FakeBench, stage: Stage) -> None:
    bench.ingest(BEFORE)
    refuse(bench, chunked_by(bench, -1, stage))
    row = bench.only_slice()
    assert (row.stage, row.state, row.attempts, row.error) == (Stage.CHUNK, "ready", 0, "MadeByOlder")
    bench.pass_time(2.0)
    work_off(bench.context)
    assert set(bench.outcomes()) == {"indexed"}
    assert len(bench.embedder.bought) == len(set(bench.embedder.bought))
    world(bench)


def test_an_overtaken_revision_whose_chunks_cannot_be_read_any_more_ends_all_the_same(bench: FakeBench) -> None:
    ingest(bench, {"a.py": functions("one")})
    token = chunked_by(bench, -1, Stage.UPSERT)
    bench.ingest({"a.py": functions("two")})
    run_stage(bench.context, token)
    work_off(bench.context)
    assert bench.outcomes() == ["superseded", "indexed"]
    assert texts(bench) == {"a.py": ["two"]}
    world(bench)
