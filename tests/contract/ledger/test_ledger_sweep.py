"""The sweep brings back what was lost, gives up only on the culprit, and is harmless when several do it."""

from __future__ import annotations

import threading
from contextlib import suppress
from uuid import UUID

import pytest
from harness.stage_context import CRASHED
from harness.steps import Steps, following

from pipeline.states import DocumentState, PlanState, SliceState
from pipeline.types import Stage, Token
from pipeline.work import Swept


def wreck(bench: Steps, token: Token | None = None, times: int = 3) -> None:
    """Let a slice's stage crash so many times; the first token may be given."""
    for _ in range(times):
        claim = bench.claim(token)
        bench.crash(claim)
        token = None
        bench.pass_time(1.0)
        if claim.attempts < 3:
            assert not bench.ledger.sweep(60.0)


def test_there_is_nothing_to_sweep_while_all_is_well(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"}, {"b.txt": "text"}, {"c.txt": "other"})
    tokens = bench.ledger.take_ready(2, oldest_first=True)
    bench.claim(tokens[0])
    before = bench.snapshot()
    swept = bench.ledger.sweep(60.0)
    assert swept == Swept(0, 0, 0, 0, 0)
    assert not swept
    assert bench.snapshot() == before


def test_an_expired_lease_brings_the_slice_back_as_a_loss_and_no_attempt(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.expire(claim)
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 0, 0, 0)
    row = bench.only_slice()
    assert (row.state, row.attempts, row.losses) == (SliceState.READY, 0, 1)
    assert (row.owner, row.lease_until, row.not_before) == (None, None, None)
    assert row.error == "LeaseExpired"
    assert row.message == "the worker host:1 stopped reporting while it held this slice"
    again = bench.claim()
    assert (again.token.seq, again.attempts) == (claim.token.seq + 1, 1)


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.CHUNK, Stage.EMBED, Stage.UPSERT])
def test_a_message_that_never_arrived_is_sent_again_at_its_stage(bench: Steps, stage: Stage) -> None:
    bench.ingest({"a.txt": "text"})
    lost = bench.take()
    while lost.stage is not stage:
        bench.work(bench.claim(lost))
        lost = following(lost)
    bench.pass_time(61.0)
    assert bench.ledger.sweep(60.0) == Swept(0, 1, 0, 0, 0)
    sent_again = bench.take()
    assert (sent_again.stage, sent_again.seq) == (stage, lost.seq + 1)
    assert bench.ledger.claim(lost, "host:1", 60.0) is None, "what was merely late dies quietly"
    assert bench.claim(sent_again).attempts == 1, "a lost message is no attempt"


def test_a_document_that_crashes_alone_becomes_a_dead_letter(bench: Steps) -> None:
    run = bench.ingest({"poison.txt": "text"})
    wreck(bench)
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 1, 0)
    assert bench.ledger.take_ready(100, oldest_first=False) == []
    assert bench.states() == {"poison.txt": ("failed", "failed")}
    (letter,) = bench.dead_letters()
    assert (letter.document_id, letter.run_id) == (bench.document("poison.txt"), run.id)
    assert (letter.generation, letter.stage, letter.attempts) == (1, Stage.PARSE, 3)
    assert (letter.worker, letter.error, letter.trace) == ("host:1", "ProcessCrashed", CRASHED.trace)
    assert bench.only_slice().state is SliceState.FAILED
    assert bench.only_slice().finished_at is not None
    (ended,) = bench.run_documents()
    assert ended.finished_at is not None
    for row in (letter, bench.only_document(), ended):
        assert (row.error, row.message) == (CRASHED.error, CRASHED.message)


def test_an_attempt_short_of_the_limit_nothing_is_given_up(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    wreck(bench, times=2)
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)
    bench.finish()
    assert bench.states() == {"a.txt": ("indexed", "indexed")}


def test_a_dead_letter_does_not_fail_a_newer_generation(bench: Steps) -> None:
    bench.ingest({"a.txt": "poison"})
    old = bench.take()
    bench.ingest({"a.txt": "good"})
    newer = bench.take()
    wreck(bench, old, times=1)
    bench.wear_out(old.slice_id)
    assert bench.ledger.sweep(60.0).given_up == 1
    bench.work(bench.claim_at(Stage.UPSERT, newer))
    document = bench.only_document()
    assert (document.state, document.generation, document.error) == (DocumentState.INDEXED, 2, "")


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.CHUNK, Stage.EMBED, Stage.UPSERT])
def test_an_exhausted_slice_is_split_so_that_only_the_culprit_is_given_up(bench: Steps, stage: Stage) -> None:
    names = ["a.txt", "b.txt", "poison.txt", "c.txt"]
    bench.ingest({name: f"text of {name}" for name in names})
    claim = bench.claim_at(stage)
    bench.wear_out(claim.token.slice_id)
    bench.crash(claim)
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 1, 0, 0)

    tokens = bench.ledger.take_ready(100, oldest_first=False)
    assert len(tokens) == len(names)
    assert {token.stage for token in tokens} == {stage}, "what was done before the crash is not done again"
    by_path = {path: token for token in tokens for path in bench.paths_of(token)}
    for name in names:
        if name == "poison.txt":
            wreck(bench, by_path[name])
        else:
            bench.work(bench.claim_at(Stage.UPSERT, by_path[name]))
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 1, 0)
    assert bench.states() == {
        name: ("failed", "failed") if name == "poison.txt" else ("indexed", "indexed") for name in names
    }
    bench.assert_index_is_true()
    assert bench.reserved() == set()


def test_documents_that_had_ended_before_the_split_stay_as_they_ended(bench: Steps) -> None:
    bench.ingest({"binary.txt": b"\x00\x01\x02\xff", "a.txt": "a", "b.txt": "b"})
    claim = bench.claim_at(Stage.CHUNK)
    assert bench.states()["binary.txt"] == ("failed", "failed")
    bench.wear_out(claim.token.slice_id)
    bench.crash(claim)
    assert bench.ledger.sweep(60.0).split == 1
    assert sum(row.state is SliceState.READY for row in bench.slices()) == 2
    bench.finish()
    assert bench.states() == {
        "binary.txt": ("failed", "failed"),
        "a.txt": ("indexed", "indexed"),
        "b.txt": ("indexed", "indexed"),
    }
    assert bench.dead_letters() == []


def test_what_a_given_up_slice_had_reserved_is_released(bench: Steps) -> None:
    bench.ingest({"poison.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    bench.ledger.register_model(bench.embedder.model, 1)
    bench.ledger.reserve_embeddings(claim, bench.embedder.model, [b"h" * 32])
    bench.wear_out(claim.token.slice_id)
    bench.crash(claim)
    assert bench.ledger.sweep(60.0).given_up == 1
    assert bench.reserved() == set()


# --- plans


def leave_a_plan(bench: Steps) -> UUID:
    """Do what a producer does that dies while it plans."""
    with suppress(KeyboardInterrupt), bench.plan() as run:
        bench.accept(run, {"a.txt": "text"})
        raise KeyboardInterrupt
    return run.id


def test_a_plan_whose_producer_died_is_interrupted(bench: Steps) -> None:
    leave_a_plan(bench)
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 1)
    assert bench.runs()[0].plan_state is PlanState.INTERRUPTED
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)


def test_the_plan_of_a_living_producer_is_left_alone(bench: Steps) -> None:
    with bench.plan():
        assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)
        assert bench.runs()[0].plan_state is PlanState.PLANNING
    assert bench.runs()[0].plan_state is PlanState.PLANNED


def test_a_living_producer_of_another_source_keeps_no_dead_plan_alive(bench: Steps) -> None:
    dead = leave_a_plan(bench)
    with bench.plan(bench.another_source("other")) as living:
        assert bench.ledger.sweep(60.0).interrupted_plans == 1
        found = {row.id: row.plan_state for row in bench.runs()}
        assert found == {dead: PlanState.INTERRUPTED, living.id: PlanState.PLANNING}


# --- several at once


def test_several_sweeps_at_once_bring_each_slice_back_once(bench: Steps) -> None:
    bench.ingest(*({f"{number}.txt": f"text {number}", f"{number}.md": "text"} for number in range(12)))
    for token in bench.ledger.take_ready(8, oldest_first=True):
        bench.expire(bench.claim(token))
    bench.ledger.take_ready(12, oldest_first=True)
    bench.lose_messages()
    for row in [row for row in bench.slices() if row.state is SliceState.RUNNING][:4]:
        bench.lose_often(row.id)
    swept: list[Swept] = []
    threads = [threading.Thread(target=lambda: swept.append(bench.ledger.sweep(60.0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(getattr(each, name) for each in swept) for name in Swept.__slots__] == [8, 4, 4, 0, 0]
    bench.finish()
    assert bench.outcomes() == ["indexed"] * 24
    bench.assert_index_is_true()
