"""The four stages bring files into the index at the cost of what changed, and in any order end with the newest.

All of it runs in this process over the shipped fakes, so that every order of two chains' stages can be tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from harness.fake_bench import FakeBench
from harness.in_process import AFTER, BEFORE, fresh_bench, ingest, run_stage, texts, work_off, world
from harness.revisions import functions
from harness.steps import following

from pipeline.types import Stage, Token


@pytest.fixture
def bench() -> FakeBench:
    return fresh_bench()


# --- without trouble


def test_what_is_ingested_is_indexed_and_a_second_run_does_nothing(bench: FakeBench) -> None:
    ingest(bench, BEFORE)
    work_off(bench.context)
    assert texts(bench) == {
        "edited.py": ["one", "two", "three", "four"],
        "gone.py": ["five", "six"],
        "moved.py": ["eight", "nine"],
        "same.py": ["seven"],
    }
    assert set(bench.outcomes()) == {"indexed"}
    before, slices = world(bench), len(bench.slices())
    bench.embedder.calls.clear()
    bench.index.forget_log()
    assert ingest(bench, BEFORE).reads == [], "equal file status proves equal bytes"
    work_off(bench.context)
    assert (world(bench), len(bench.slices())) == (before, slices)
    assert (bench.embedder.calls, bench.index.written, bench.index.moved) == ([], [], [])


def test_another_version_of_sparse_vectors_writes_every_point_anew_and_buys_nothing(bench: FakeBench) -> None:
    bench.context = replace(bench.context, versions="chunker-1 sparse-1")
    ingest(bench, BEFORE)
    work_off(bench.context)
    points = set(bench.index.points)
    bench.embedder.calls.clear()
    for versions, written in [("chunker-2 sparse-1", set()), ("chunker-2 sparse-2", points)]:
        bench.index.forget_log()
        bench.context = replace(bench.context, versions=versions)
        assert len(ingest(bench, BEFORE).reads) == len(BEFORE)
        work_off(bench.context)
        assert set(bench.index.written) == written
        bench.assert_index_is_true()
    assert bench.embedder.calls == []


def test_a_document_whose_bytes_are_gone_fails_and_keeps_its_points(bench: FakeBench) -> None:
    ingest(bench, BEFORE)
    work_off(bench.context)
    points = dict(bench.index.points)
    ingest(bench, {**BEFORE, "same.py": functions("other")})
    (token,) = bench.ledger.take_ready(1, oldest_first=True)
    claim = bench.claim_at(Stage.UPSERT, token)
    bench.ledger.state.blobs.clear()
    assert bench.work(claim)["failed"] == 1
    assert bench.index.points == points


def test_edits_news_and_deletions_cost_what_changed(bench: FakeBench) -> None:
    ingest(bench, BEFORE)
    work_off(bench.context)
    bought = len(bench.embedder.bought)
    bench.index.forget_log()
    assert ingest(bench, AFTER).reads == ["edited.py", "empty.py", "moved.py", "new.py"]
    work_off(bench.context)
    assert texts(bench) == {
        "edited.py": ["one", "zwei", "drei", "four"],
        "empty.py": [],
        "moved.py": ["first", "eight", "nine"],
        "new.py": ["ten", "eleven", "twelve"],
        "same.py": ["seven"],
    }
    assert len(bench.embedder.bought) - bought == 6
    assert (len(bench.index.written), len(bench.index.moved), len(bench.index.deleted)) == (6, 2, 4)
    world(bench)


# --- in any order


def interleavings(first: int, second: int) -> Iterator[tuple[bool, ...]]:
    """Yield every order of two sequences of steps; True is a step of the second."""
    total = first + second
    for chosen in itertools.combinations(range(total), second):
        yield tuple(position in chosen for position in range(total))


@pytest.mark.parametrize("newer", [functions("one", "newer"), functions("one", "two", "three"), ""])
def test_two_revisions_end_with_the_newer_however_their_stages_interleave(newer: str) -> None:
    for order in interleavings(4, 5):
        bench = fresh_bench()
        bench.ingest({"a.py": functions("one", "two")})
        step_through(bench, order, lambda bench=bench: bench.ingest({"a.py": newer}))
        assert bench.outcomes() == ["superseded" if is_overtaken(order, 4) else "indexed", "indexed"], order
        assert texts(bench) == {"a.py": [line[4:-3] for line in newer.splitlines() if line.startswith("def")]}, order
        world(bench)


def test_a_revision_and_a_deletion_end_with_the_deletion_however_they_interleave() -> None:
    for order in interleavings(4, 2):
        bench = fresh_bench()
        bench.ingest({"a.py": functions("one", "two")})
        step_through(bench, order, lambda bench=bench: bench.delete("a.py"))
        assert bench.outcomes() == ["superseded" if is_overtaken(order, 4) else "indexed", "deleted"], order
        assert (texts(bench), bench.index.points) == ({}, {}), order
        world(bench)


def step_through(bench: FakeBench, order: tuple[bool, ...], accept_newer: Any) -> None:
    """Take the steps of two chains in an order; the second chain's first step is that its revision is accepted."""
    tokens: dict[bool, Token] = {False: bench.take()}
    for is_newer in order:
        if is_newer and True not in tokens:
            accept_newer()
            tokens[True] = bench.take()
            continue
        token = tokens[is_newer]
        run_stage(bench.context, token)
        if token.stage is not Stage.UPSERT:
            tokens[is_newer] = following(token)


def is_overtaken(order: tuple[bool, ...], steps: int) -> bool:
    """Return whether the newer revision was accepted before the older one had taken all its steps."""
    return order.index(True) < steps
