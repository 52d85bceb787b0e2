"""A producer, the four stages and the dispatcher end in the same state whoever dies at whichever call.

All of it runs in this process over the shipped fakes, so that every single call can be the last one of its process.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from harness.dying_caller import Died, DyingCaller
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


@pytest.fixture
def bench() -> FakeBench:
    return fresh_bench()


def fresh_bench() -> FakeBench:
    """Return a ledger of its own, with provider calls of two texts."""
    made = FakeBench(max_attempts=4)
    made.embedder = RecordingEmbedder(replace(made.embedder.model, max_inputs=CALL))
    made.context = replace(made.context, embedder=made.embedder)
    return made


def ingest(bench: FakeBench, files: Mapping[str, str], intake: Any = None) -> FilesSource:
    """Plan a run over files, as `mobius ingest` does."""
    source = FilesSource(files)
    plan_run(intake or bench.intake, source, bench.source, OPTIONS, Unreported())
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
        "points": sorted((str(each.payload["path"]), each.vector) for each in bench.index.points.values()),
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


# --- whoever dies

#: The calls that dispatcher and worker make; each of them must have been the last one of a process.
CALLED = {
    "ledger": {
        "take_ready",
        "claim",
        "documents_to_parse",
        "commit_outlines",
        "documents_to_chunk",
        "commit_chunk_sets",
        "register_model",
        "documents_to_embed",
        "reserve_embeddings",
        "save_reply",
        "commit_embedded",
        "documents_to_upsert",
        "vectors",
        "commit_chunks",
        "strays",
        "finish_slice",
    },
    "index": {"upsert", "move", "retrieve", "delete"},
}


def settled() -> FakeBench:
    """Return a ledger that has the files as they were, and runs over what they are now, waiting."""
    bench = fresh_bench()
    ingest(bench, BEFORE)
    work_off(bench.context)
    bench.ingest({"new.py": "a revision that is overtaken before it is processed"})
    ingest(bench, AFTER)
    return bench


@dataclass(frozen=True)
class Undisturbed:
    """What the world is, how every document was left, and how many texts were bought, where nobody dies."""

    world: dict[str, Any]
    outcomes: list[tuple[str, int, str]]
    bought: int


@pytest.fixture(scope="module")
def undisturbed() -> Undisturbed:
    bench = settled()
    work_off(bench.context)
    return Undisturbed(world(bench), outcomes(bench), len(bench.embedder.bought))


def deaths_of(bench: FakeBench, port: str, nth: int, *, after: bool, lives: int) -> list[str]:
    """Let so many workers die one after the other, each at its nth call of a port; return their last calls."""
    last_calls: list[str] = []
    for _ in range(lives):
        caller = DyingCaller(getattr(bench.context, port), nth=nth, after=after)
        try:
            work_off(replace(bench.context, **{port: caller}))
        except Died:
            last_calls.append(caller.calls[-1])
            bench.pass_time(61.0)
            bench.ledger.sweep(60.0)
    return last_calls


@pytest.mark.parametrize("lives", [1, 2])
@pytest.mark.parametrize("after", [False, True], ids=["before it is made", "before it is answered"])
@pytest.mark.parametrize("port", ["ledger", "index"])
def test_workers_that_die_at_any_call_change_nothing_in_the_end(
    undisturbed: Undisturbed, port: str, after: bool, lives: int
) -> None:
    met: set[str] = set()
    for nth in itertools.count(1):
        bench = settled()
        last_calls = deaths_of(bench, port, nth, after=after, lives=lives)
        if not last_calls:
            break
        met |= set(last_calls)
        recover(bench)
        where = f"call {nth} of the {port}: {last_calls}"
        assert world(bench) == undisturbed.world, where
        assert outcomes(bench) == undisturbed.outcomes, where
        most = undisturbed.bought + len(last_calls) * CALL
        assert len(bench.embedder.bought) <= most, f"{where}: more than the calls in flight was lost"
    assert met == CALLED[port]


@pytest.mark.parametrize("after", [False, True], ids=["before it is made", "before it is answered"])
def test_a_producer_that_dies_at_any_call_is_made_good_by_the_next_run(undisturbed: Undisturbed, after: bool) -> None:
    died_at: list[str] = []
    for nth in itertools.count(1):
        bench = fresh_bench()
        ingest(bench, BEFORE)
        work_off(bench.context)
        caller = DyingCaller(bench.intake, nth=nth, after=after)
        try:
            ingest(bench, AFTER, caller)
            break
        except Died:
            died_at.append(caller.calls[-1])
        bench.ledger.sweep(60.0)
        assert all(run.plan_state.value != "planning" for run in bench.runs())
        ingest(bench, AFTER)
        work_off(bench.context)
        assert world(bench) == undisturbed.world, died_at[-1]
        assert set(bench.outcomes()) <= {"indexed", "deleted"}, died_at[-1]
        assert len(bench.embedder.bought) == undisturbed.bought, died_at[-1]
    assert set(died_at) >= {"planning", "known_documents", "accept", "accept_deletions", "close"}


def test_a_sweep_that_dies_is_made_good_by_the_next() -> None:
    bench = settled()
    tokens = bench.ledger.take_ready(100, oldest_first=True)
    run_stage(bench.context, tokens[0])
    bench.claim(following(tokens[0]))
    bench.pass_time(61.0)
    for after in (False, True):
        with pytest.raises(Died):
            DyingCaller(bench.ledger, after=after).sweep(60.0)
    recover(bench)
    world(bench)
