"""The sweep brings back what was lost, gives up only on the culprit, and is harmless when several do it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from uuid import UUID

import pytest
from harness.bench import Bench, following

from pipeline.types import Stage, Token
from pipeline.work import Swept


def wreck(bench: Bench, token: Token | None = None, times: int = 3) -> None:
    """Let a slice's stage kill its worker so many times; the first token may be given."""
    for _ in range(times):
        claim = bench.claim(token)
        bench.expire(claim)
        token = None
        if claim.attempts < 3:
            assert bench.ledger.sweep(60.0).expired == 1


def states(bench: Bench) -> dict[str, tuple[str, str]]:
    return {
        row["path"]: (row["state"], row["outcome"])
        for row in bench.rows("SELECT path, state, outcome FROM documents d JOIN run_documents ON document_id = d.id")
    }


def test_there_is_nothing_to_sweep_while_all_is_well(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"}, {"b.txt": "text"}, {"c.txt": "other"})
    tokens = bench.ledger.take_ready(2, oldest_first=True)
    bench.claim(tokens[0])
    before = bench.rows("SELECT * FROM slices ORDER BY id")
    swept = bench.ledger.sweep(60.0)
    assert swept == Swept(0, 0, 0, 0, 0)
    assert not swept
    assert bench.rows("SELECT * FROM slices ORDER BY id") == before


def test_an_expired_lease_brings_the_slice_back_with_its_attempt_counted(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.expire(claim)
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 0, 0, 0)
    (row,) = bench.rows("SELECT state, attempts, error, message FROM slices")
    assert row == {
        "state": "ready",
        "attempts": 1,
        "error": "LeaseExpired",
        "message": "the worker host:1 stopped reporting while it held this slice",
    }
    again = bench.claim()
    assert (again.token.seq, again.attempts) == (claim.token.seq + 1, 2)


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.CHUNK, Stage.EMBED, Stage.UPSERT])
def test_a_message_that_never_arrived_is_sent_again_at_its_stage(bench: Bench, stage: Stage) -> None:
    bench.ingest({"a.txt": "text"})
    lost = bench.take()
    while lost.stage is not stage:
        bench.work(bench.claim(lost))
        lost = following(lost)
    bench.rows("UPDATE slices SET dispatched_at = now() - interval '61 s'")
    assert bench.ledger.sweep(60.0) == Swept(0, 1, 0, 0, 0)
    sent_again = bench.take()
    assert (sent_again.stage, sent_again.seq) == (stage, lost.seq + 1)
    assert bench.ledger.claim(lost, "host:1", 60.0) is None, "what was merely late dies quietly"
    assert bench.claim(sent_again).attempts == 1, "a lost message is no attempt"


def test_a_document_that_crashes_alone_becomes_a_dead_letter(bench: Bench) -> None:
    run = bench.ingest({"poison.txt": "text"})
    wreck(bench)
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 0, 1, 0)
    assert bench.ledger.take_ready(100, oldest_first=False) == []
    assert states(bench) == {"poison.txt": ("failed", "failed")}
    (letter,) = bench.rows("SELECT * FROM dead_letters")
    assert (letter["document_id"], letter["run_id"]) == (bench.document("poison.txt"), run.id)
    assert (letter["generation"], letter["stage"], letter["attempts"]) == (1, "parse", 3)
    assert (letter["worker"], letter["error"]) == ("host:1", "LeaseExpired")
    assert bench.one("SELECT state || ' ' || (finished_at IS NOT NULL) FROM slices") == "failed true"
    assert bench.one("SELECT error FROM documents") == "LeaseExpired"
    assert bench.one("SELECT error || outcome FROM run_documents") == "LeaseExpiredfailed"


def test_an_attempt_short_of_the_limit_nothing_is_given_up(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    wreck(bench, times=2)
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)
    bench.finish()
    assert states(bench) == {"a.txt": ("indexed", "indexed")}


def test_a_dead_letter_does_not_fail_a_newer_generation(bench: Bench) -> None:
    bench.ingest({"a.txt": "poison"})
    old = bench.take()
    bench.ingest({"a.txt": "good"})
    newer = bench.take()
    wreck(bench, old, times=1)
    bench.rows("UPDATE slices SET attempts = 3 WHERE id = :id", id=old.slice_id)
    assert bench.ledger.sweep(60.0).given_up == 1
    bench.work(bench.claim_at(Stage.UPSERT, newer))
    assert bench.rows("SELECT state, generation, error FROM documents") == [
        {"state": "indexed", "generation": 2, "error": ""}
    ]


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.CHUNK, Stage.EMBED, Stage.UPSERT])
def test_an_exhausted_slice_is_split_so_that_only_the_culprit_is_given_up(bench: Bench, stage: Stage) -> None:
    names = ["a.txt", "b.txt", "poison.txt", "c.txt"]
    bench.ingest({name: f"text of {name}" for name in names})
    claim = bench.claim_at(stage)
    bench.rows("UPDATE slices SET attempts = 3")
    bench.expire(claim)
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 1, 0, 0)

    tokens = bench.ledger.take_ready(100, oldest_first=False)
    assert len(tokens) == len(names)
    assert {token.stage for token in tokens} == {stage}, "what was done before the crash is not done again"
    by_path = {slice_paths(bench, token.slice_id)[0]: token for token in tokens}
    for name in names:
        if name == "poison.txt":
            wreck(bench, by_path[name])
        else:
            bench.work(bench.claim_at(Stage.UPSERT, by_path[name]))
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 0, 1, 0)
    assert states(bench) == {
        name: ("failed", "failed") if name == "poison.txt" else ("indexed", "indexed") for name in names
    }
    bench.assert_index_is_true()
    assert bench.one("SELECT count(*) FROM embeddings WHERE vector IS NULL") == 0


def slice_paths(bench: Bench, slice_id: UUID) -> Sequence[str]:
    sql = "SELECT path FROM documents d JOIN run_documents rd ON rd.document_id = d.id WHERE slice_id = :id"
    return [row["path"] for row in bench.rows(sql, id=slice_id)]


def test_documents_that_had_ended_before_the_split_stay_as_they_ended(bench: Bench) -> None:
    bench.ingest({"binary.txt": b"\x00\x01\x02\xff", "a.txt": "a", "b.txt": "b"})
    claim = bench.claim_at(Stage.CHUNK)
    assert states(bench)["binary.txt"] == ("failed", "failed")
    bench.rows("UPDATE slices SET attempts = 3")
    bench.expire(claim)
    assert bench.ledger.sweep(60.0).split == 1
    assert bench.one("SELECT count(*) FROM slices WHERE state = 'ready'") == 2
    bench.finish()
    assert states(bench) == {
        "binary.txt": ("failed", "failed"),
        "a.txt": ("indexed", "indexed"),
        "b.txt": ("indexed", "indexed"),
    }
    assert bench.rows("SELECT 1 FROM dead_letters") == []


def test_what_a_given_up_slice_had_reserved_is_released(bench: Bench) -> None:
    bench.ingest({"poison.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    bench.ledger.register_model(bench.embedder.model, 1)
    bench.ledger.reserve_embeddings(claim, bench.embedder.model, [b"h" * 32])
    bench.rows("UPDATE slices SET attempts = 3")
    bench.expire(claim)
    assert bench.ledger.sweep(60.0).given_up == 1
    assert bench.rows("SELECT 1 FROM embeddings") == []


# --- plans


def test_a_plan_whose_producer_died_is_interrupted(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    bench.rows("UPDATE runs SET plan_state = 'planning'")
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 1)
    assert bench.one("SELECT plan_state FROM runs") == "interrupted"
    assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)


def test_the_plan_of_a_living_producer_is_left_alone(bench: Bench) -> None:
    with bench.plan():
        assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)
        assert bench.one("SELECT plan_state FROM runs") == "planning"
    assert bench.one("SELECT plan_state FROM runs") == "planned"


def test_a_living_producer_of_another_source_keeps_no_dead_plan_alive(bench: Bench) -> None:
    other = bench.sources.resolve("tenant", "project", "other", "/other")
    dead = bench.ingest({"a.txt": "text"})
    bench.rows("UPDATE runs SET plan_state = 'planning'")
    with bench.plan(other) as living:
        assert bench.ledger.sweep(60.0).interrupted_plans == 1
        found = {row["id"]: row["plan_state"] for row in bench.rows("SELECT id, plan_state FROM runs")}
        assert found == {dead.id: "interrupted", living.id: "planning"}


# --- several at once


def test_several_sweeps_at_once_bring_each_slice_back_once(bench: Bench) -> None:
    bench.ingest(*({f"{number}.txt": f"text {number}", f"{number}.md": "text"} for number in range(12)))
    for token in bench.ledger.take_ready(8, oldest_first=True):
        bench.expire(bench.claim(token))
    bench.ledger.take_ready(12, oldest_first=True)
    bench.rows("UPDATE slices SET dispatched_at = now() - interval '61 s' WHERE state = 'dispatched'")
    bench.rows("UPDATE slices SET attempts = 3 WHERE id IN (SELECT id FROM slices WHERE state = 'running' LIMIT 4)")
    swept: list[Swept] = []
    threads = [threading.Thread(target=lambda: swept.append(bench.ledger.sweep(60.0))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sum(getattr(each, name) for each in swept) for name in Swept.__slots__] == [8, 4, 4, 0, 0]
    bench.finish()
    assert bench.one("SELECT count(*) FROM run_documents WHERE outcome = 'indexed'") == 24
    bench.assert_index_is_true()
