"""A producer, a dispatcher and workers end in the same state whoever of them dies, or is failed, at whichever call.

All of it runs in this process over the shipped fakes, so that every single call can be the last one of its process.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from celery.exceptions import Reject
from harness.dying_caller import Died, DyingCaller, die
from harness.fake_bench import FakeBench
from harness.in_process import (
    AFTER,
    BEFORE,
    CALL,
    fresh_bench,
    ingest,
    outcomes,
    recover,
    run_stage,
    texts,
    work_off,
    world,
)
from harness.revisions import functions
from harness.steps import following

from pipeline.errors import ServiceUnavailable
from pipeline.types import Token
from tasks.base import IngestApp, StageContext
from tasks.queues import task_name

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


# --- whoever is failed


def be_away() -> None:
    raise ServiceUnavailable("A service")


class Worker:
    """Celery with the stages' own policy, made once; each delivery has the context of the moment."""

    def __init__(self) -> None:
        self._contexts: list[StageContext] = []
        self._app = IngestApp("test", build_context=lambda: self._contexts[-1], set_as_current=False)

    def deliver(self, context: StageContext, token: Token) -> None:
        """Deliver a slice's messages as Celery does: a link that is rejected or fails ends its chain."""
        self._contexts.append(context)
        self._app._contexts.clear()
        for stage in token.stage.following():
            try:
                self._app.tasks[task_name(stage)](str(token.slice_id), stage.value, token.seq)
            except (Reject, ServiceUnavailable):
                return
            token = Token(token.slice_id, stage, token.seq + 1)


@pytest.fixture(scope="module")
def worker() -> Worker:
    return Worker()


@pytest.mark.parametrize("after", [False, True], ids=["before it is made", "before it is answered"])
@pytest.mark.parametrize("port", ["ledger", "index"])
def test_a_service_that_goes_away_at_any_call_changes_nothing_in_the_end(
    worker: Worker, undisturbed: Undisturbed, port: str, after: bool
) -> None:
    met: set[str] = set()
    for nth in itertools.count(1):
        bench = settled()
        caller = DyingCaller(getattr(bench.context, port), nth=nth, after=after, event=be_away)
        for token in bench.ledger.take_ready(100, oldest_first=False):
            worker.deliver(replace(bench.context, **{port: caller}), token)
        if len(caller.calls) < nth:
            break
        met.add(caller.calls[nth - 1])
        handed_back = [row for row in bench.slices() if row.state.value == "ready"]
        assert [row.attempts for row in handed_back] == [0] * len(handed_back), "an outage is no attempt"
        recover(bench)
        where = f"call {nth} of the {port}: {caller.calls[nth - 1]}"
        assert world(bench) == undisturbed.world, where
        assert outcomes(bench) == undisturbed.outcomes, where
        assert len(bench.embedder.bought) <= undisturbed.bought + CALL, f"{where}: more than one call was lost"
    assert met == CALLED[port] - {"take_ready"}


# --- whoever is overtaken


@pytest.mark.parametrize("after", [False, True], ids=["before it is made", "before it is answered"])
@pytest.mark.parametrize("port", ["ledger", "index"])
@pytest.mark.parametrize("is_processed", [False, True], ids=["accepted", "processed"])
@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_a_newer_revision_that_comes_at_any_call_is_all_that_is_left(
    worker: Worker, port: str, after: bool, is_processed: bool, dies: bool
) -> None:
    for nth in itertools.count(1):
        bench = fresh_bench()
        bench.ingest({"a.py": functions("one", "two", "three")})
        work_off(bench.context)
        bench.ingest({"a.py": functions("overtaken", "one", "three")})

        def overtake(bench: FakeBench = bench) -> None:
            bench.ingest({"a.py": functions("one", "two", "newest")})
            if is_processed:
                work_off(bench.context)
            if dies:
                die()

        caller = DyingCaller(getattr(bench.context, port), nth=nth, after=after, event=overtake)
        with suppress(Died):
            worker.deliver(replace(bench.context, **{port: caller}), bench.take())
        if len(caller.calls) < nth:
            break
        where = f"call {nth} of the {port}: {caller.calls[nth - 1]}"
        recover(bench)
        world(bench)
        assert texts(bench) == {"a.py": ["one", "two", "newest"]}, where
        assert bench.outcomes()[1] in {"superseded", "indexed"}, where
    assert nth > len(CALLED[port])
