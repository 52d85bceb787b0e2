"""What operators cancel, pause and resume is honoured by whoever sends, claims or holds a slice."""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

import pytest
from harness.steps import Steps, following

from pipeline.control import RunEnded, UnknownRun
from pipeline.errors import ClaimLost
from pipeline.intake import PlanTakenOver
from pipeline.states import PlanState, SliceState
from pipeline.types import Priority, Stage

STAGES = [Stage.PARSE, Stage.CHUNK, Stage.EMBED, Stage.UPSERT]


# --- pause and resume


def test_a_paused_run_is_not_sent_and_the_others_go_on(bench: Steps) -> None:
    paused = bench.ingest({"a.txt": "text"})
    bench.ingest({"b.txt": "text"})
    bench.control.pause("tenant", paused.id)
    (token,) = bench.ledger.take_ready(100, oldest_first=False)
    assert bench.paths_of(token) == ["b.txt"]
    assert bench.ledger.take_ready(100, oldest_first=True) == []
    bench.control.resume("tenant", paused.id)
    (token,) = bench.ledger.take_ready(100, oldest_first=False)
    assert bench.paths_of(token) == ["a.txt"]


def test_what_was_sent_before_the_pause_cannot_be_claimed(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    token = bench.take()
    bench.control.pause("tenant", run.id)
    assert bench.only_slice().state is SliceState.READY
    assert bench.ledger.claim(token, "host:1", 60.0) is None
    bench.control.resume("tenant", run.id)
    assert bench.ledger.claim(token, "host:1", 60.0) is None, "its message is stale for ever"
    bench.finish()
    assert bench.states() == {"a.txt": ("indexed", "indexed")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_under_way_is_told_and_its_work_is_kept(bench: Steps, stage: Stage) -> None:
    run = bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(stage)
    assert not bench.ledger.is_halted(claim)
    bench.control.pause("tenant", run.id)
    assert bench.ledger.is_halted(claim)
    bench.work(claim)
    if stage is not Stage.UPSERT:
        assert bench.ledger.claim(following(claim.token), "host:1", 60.0) is None, "the next stage does not begin"
        bench.ledger.sweep(60.0)
        assert (bench.only_slice().state, bench.only_slice().attempts) == (SliceState.READY, 0)
        assert bench.ledger.take_ready(100, oldest_first=False) == []
        bench.control.resume("tenant", run.id)
        bench.finish()
    assert bench.states() == {"a.txt": ("indexed", "indexed")}
    bench.assert_index_is_true()


def test_a_paused_fleet_does_nothing_for_anybody_until_it_is_resumed(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.ingest({"b.txt": "text"})
    bench.control.pause_fleet()
    bench.control.pause_fleet()
    assert bench.control.is_fleet_paused()
    assert bench.ledger.is_halted(claim)
    bench.ingest({"c.txt": "text"})
    assert bench.ledger.take_ready(100, oldest_first=False) == []
    bench.control.resume_fleet()
    bench.control.resume_fleet()
    assert not bench.control.is_fleet_paused()
    assert not bench.ledger.is_halted(claim)
    assert len(bench.ledger.take_ready(100, oldest_first=False)) == 2


def test_a_run_that_was_paused_by_itself_stays_so_when_the_fleet_is_resumed(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    bench.control.pause("tenant", run.id)
    bench.control.pause_fleet()
    bench.control.resume_fleet()
    assert bench.ledger.take_ready(100, oldest_first=False) == []


def test_pausing_and_resuming_twice_is_as_good_as_once(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    bench.control.resume("tenant", run.id)
    bench.control.pause("tenant", run.id)
    before = bench.runs()[0].paused_at
    bench.control.pause("tenant", run.id)
    assert bench.runs()[0].paused_at == before
    bench.control.resume("tenant", run.id)
    bench.control.resume("tenant", run.id)
    assert bench.runs()[0].paused_at is None


# --- cancel


@pytest.mark.parametrize("swept", [False, True], ids=["at once", "and swept again"])
@pytest.mark.parametrize("stage", STAGES)
def test_whatever_a_cancelled_run_was_at_is_as_before(bench: Steps, stage: Stage, swept: bool) -> None:
    bench.ingest({"changed.txt": "one two"})
    bench.finish()
    before, names = bench.committed(), bench.names()
    run = bench.ingest({"changed.txt": "three four", "new.txt": "five"})
    claim = bench.claim_at(stage)
    bench.control.cancel("tenant", run.id)
    if swept:
        bench.ledger.sweep(60.0)
    assert not bench.ledger.extend(claim, 60.0)
    with pytest.raises(ClaimLost):
        bench.work(claim)
    assert (bench.committed(), bench.names()) == (before, names)
    bench.assert_index_is_true()
    assert {row.path: row.state.value for row in bench.documents()} == {
        "changed.txt": "cancelled",
        "new.txt": "cancelled",
    }
    assert sorted(bench.outcomes()) == ["cancelled", "cancelled", "indexed"]
    assert bench.slices()[-1].state is SliceState.CANCELLED
    assert (bench.chunk_sets(), bench.reserved()) == (set(), set())
    assert bench.ledger.take_ready(100, oldest_first=False) == []


def test_the_next_run_takes_up_what_was_cancelled(bench: Steps) -> None:
    cancelled = bench.ingest({"a.txt": "text"})
    bench.control.cancel("tenant", cancelled.id)
    (known,) = bench.intake.known_documents(bench.source, "versions-1")
    assert not known.is_current
    assert not known.is_in_flight
    bench.ingest({"a.txt": "text"})
    bench.finish()
    assert bench.only_document().state.value == "indexed"
    bench.assert_index_is_true()


def test_a_cancelled_deletion_leaves_the_document_searchable(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.finish()
    run = bench.delete("a.txt")
    bench.control.cancel("tenant", run.id)
    assert bench.only_document().state.value == "cancelled"
    assert len(bench.committed()) == 1
    bench.delete("a.txt")
    bench.finish()
    assert bench.only_document().state.value == "deleted"
    assert bench.committed() == {}


def test_what_was_written_and_not_yet_shown_is_taken_back(bench: Steps) -> None:
    bench.ingest({"changed.txt": "one two"})
    bench.finish()
    before, names = bench.committed(), bench.names()
    run = bench.ingest({"changed.txt": "three four", "new.txt": "five"})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = lambda: bench.control.cancel("tenant", run.id)
    with pytest.raises(ClaimLost):
        bench.work(claim)
    assert (bench.committed(), bench.names()) == (before, names)
    bench.assert_index_is_true()


@pytest.mark.parametrize("fault", [False, True], ids=["all is well", "its worker dies"])
def test_what_search_shows_already_is_finished_and_not_cancelled(bench: Steps, fault: bool) -> None:
    bench.ingest({"a.txt": "one two"})
    bench.finish()
    run = bench.ingest({"a.txt": "three four"})
    claim = bench.claim_at(Stage.UPSERT)

    def cancel() -> None:
        bench.control.cancel("tenant", run.id)
        if fault:
            raise KeyboardInterrupt

    bench.index.after["delete"] = cancel
    with suppress(KeyboardInterrupt):
        bench.work(claim)
    if fault:
        assert bench.outcomes() == ["indexed", "pending"]
        bench.expire(claim)
        bench.ledger.sweep(60.0)
        bench.finish()
    assert bench.outcomes() == ["indexed", "indexed"]
    bench.assert_index_is_true()


def test_what_another_run_waits_for_is_brought_in_all_the_same(bench: Steps) -> None:
    owner = bench.ingest({"shared.txt": "text", "own.txt": "text"})
    with bench.plan() as waiting:
        assert bench.intake.join(waiting, [bench.accepted(bench.source, "shared.txt", "text")]) == {"shared.txt"}
    bench.control.cancel("tenant", owner.id)
    paths = {row.id: row.path for row in bench.documents()}
    found = {(row.run_id, paths[row.document_id]): row.outcome.value for row in bench.run_documents()}
    assert found == {
        (owner.id, "own.txt"): "cancelled",
        (owner.id, "shared.txt"): "pending",
        (waiting.id, "shared.txt"): "pending",
    }
    bench.finish()
    assert {row.path: row.state.value for row in bench.documents()} == {"own.txt": "cancelled", "shared.txt": "indexed"}


def test_a_slice_that_goes_on_keeps_what_it_reserved(bench: Steps) -> None:
    """It may be buying it: whoever else wants it would buy it once more."""
    first = bench.ingest({"shared.txt": "s", "own.txt": "o"})
    with bench.plan() as second:
        bench.intake.join(second, [bench.accepted(second.source, "shared.txt", "s")])
    claim = bench.claim_at(Stage.EMBED)
    bench.ledger.register_model(bench.embedder.model, 1)
    bench.ledger.reserve_embeddings(claim, bench.embedder.model, [b"h" * 32])
    bench.control.cancel("tenant", first.id)
    assert sorted(bench.outcomes()) == ["cancelled", "pending", "pending"]
    assert bench.reserved() == {b"h" * 32}


def test_who_only_waits_for_another_run_stops_waiting(bench: Steps) -> None:
    owner = bench.ingest({"shared.txt": "text"})
    with bench.plan() as waiting:
        bench.intake.join(waiting, [bench.accepted(bench.source, "shared.txt", "text")])
    bench.control.cancel("tenant", waiting.id)
    assert {row.run_id: row.outcome.value for row in bench.run_documents()} == {
        owner.id: "pending",
        waiting.id: "cancelled",
    }
    bench.finish()
    assert bench.only_document().state.value == "indexed"


def test_a_newer_revision_is_not_touched_by_the_cancelling_of_the_older(bench: Steps) -> None:
    older = bench.ingest({"a.txt": "old"})
    bench.ingest({"a.txt": "new"})
    bench.control.cancel("tenant", older.id)
    bench.finish()
    document = bench.only_document()
    assert (document.state.value, document.generation) == ("indexed", 2)
    assert bench.outcomes() == ["cancelled", "indexed"]
    bench.assert_index_is_true()


def test_the_producer_of_a_cancelled_run_is_stopped(bench: Steps) -> None:
    with bench.intake.planning(bench.source, Priority.NORMAL, patience=0.0, on_wait=lambda: None) as run:
        bench.accept(run, {"a.txt": "text"})
        bench.control.cancel("tenant", run.id)
        with pytest.raises(PlanTakenOver):
            bench.accept(run, {"b.txt": "text"})
    assert bench.runs()[0].plan_state is PlanState.INTERRUPTED
    assert bench.states() == {"a.txt": ("cancelled", "cancelled")}


def test_cancelling_twice_is_as_good_as_once(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    bench.control.cancel("tenant", run.id)
    before = bench.snapshot()
    bench.control.cancel("tenant", run.id)
    after = bench.snapshot()
    assert {name: after[name] for name in after if name != "runs"} == {
        name: before[name] for name in before if name != "runs"
    }


def test_a_paused_run_can_be_cancelled(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    bench.control.pause("tenant", run.id)
    bench.control.cancel("tenant", run.id)
    assert bench.states() == {"a.txt": ("cancelled", "cancelled")}


# --- what cannot be had


@pytest.mark.parametrize("what", ["cancel", "pause", "resume"])
def test_an_unknown_run_and_one_of_another_tenant_are_refused(bench: Steps, what: str) -> None:
    run = bench.ingest({"a.txt": "text"})
    for tenant, run_id in [("tenant", uuid4()), ("stranger", run.id)]:
        with pytest.raises(UnknownRun, match="there is no run"):
            getattr(bench.control, what)(tenant, run_id)
    assert bench.states() == {"a.txt": ("pending", "pending")}


@pytest.mark.parametrize("what", ["cancel", "pause", "resume"])
def test_a_run_that_has_ended_is_left_alone(bench: Steps, what: str) -> None:
    run = bench.ingest({"a.txt": "text"})
    bench.finish()
    with pytest.raises(RunEnded):
        getattr(bench.control, what)("tenant", run.id)
    assert bench.states() == {"a.txt": ("indexed", "indexed")}


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_a_cancelled_run_is_neither_paused_nor_resumed(bench: Steps, what: str) -> None:
    run = bench.ingest({"a.txt": "text"})
    bench.control.cancel("tenant", run.id)
    with pytest.raises(RunEnded):
        getattr(bench.control, what)("tenant", run.id)


@pytest.mark.parametrize("what", ["cancel", "pause", "resume"])
def test_a_request_is_about_one_run_alone(bench: Steps, what: str) -> None:
    first, other = bench.ingest({"a.txt": "text"}), bench.ingest({"b.txt": "text"})
    before = {row.id: row for row in bench.runs()}[other.id]
    getattr(bench.control, what)("tenant", first.id)
    assert {row.id: row for row in bench.runs()}[other.id] == before
