"""A token is good once, a claim is good until it is taken over, and whoever lost it writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from harness.bench import Bench, following
from harness.fleet import wait_until
from sqlalchemy import text

from pipeline.chunk_codec import pack_chunks
from pipeline.errors import ClaimLost
from pipeline.types import ChunkSet, Claim, DocumentRef, Failure, Stage, Token
from pipeline.upsert import DocumentPlan
from pipeline.work import ChunksMade, OutlineMade

STATE = "SELECT state, attempts, owner, lease_until, error, message FROM slices"


def test_a_token_is_good_once(bench: Bench) -> None:
    run = bench.ingest({"a.txt": "text"})
    token = bench.take()
    claim = bench.ledger.claim(token, "host:1", 60.0)
    assert claim is not None
    assert (claim.token, claim.run_id, claim.source_id) == (token, run.id, bench.source.id)
    assert (claim.scope, claim.attempts) == (bench.source.scope, 1)
    assert bench.ledger.claim(token, "host:2", 60.0) is None
    assert bench.one("SELECT worker FROM slices") == "host:1"


def test_stale_early_and_foreign_tokens_claim_nothing(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    token = bench.take()
    wrong = [
        replace(token, seq=token.seq - 1),
        replace(token, seq=token.seq + 1),
        replace(token, stage=Stage.CHUNK),
        replace(token, slice_id=uuid4()),
        following(token),
    ]
    assert [bench.ledger.claim(each, "host:1", 60.0) for each in wrong] == [None] * len(wrong)
    assert bench.ledger.claim(token, "host:1", 60.0) is not None


def test_a_slice_that_is_ready_or_done_cannot_be_claimed(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    ready = Token(bench.one("SELECT id FROM slices"), Stage.PARSE, 0)
    assert bench.ledger.claim(ready, "host:1", 60.0) is None
    claim = bench.claim_at(Stage.UPSERT)
    bench.work(claim)
    assert bench.ledger.claim(claim.token, "host:1", 60.0) is None


def test_a_finished_stage_cannot_be_claimed_again(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.work(claim)
    assert bench.ledger.claim(claim.token, "host:1", 60.0) is None
    assert bench.ledger.claim(following(claim.token), "host:1", 60.0) is not None


def test_a_claim_is_extended_until_it_is_taken_over(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim(lease_seconds=5.0)
    lease = bench.one("SELECT lease_until FROM slices")
    assert bench.ledger.extend(claim, 60.0)
    assert bench.one("SELECT lease_until FROM slices") > lease
    bench.expire(claim)
    assert bench.ledger.extend(claim, 60.0), "late, but nobody else wanted it"
    bench.expire(claim)
    bench.ledger.sweep(60.0)
    assert not bench.ledger.extend(claim, 60.0)
    taken_over = bench.claim()
    assert not bench.ledger.extend(claim, 60.0)
    assert bench.ledger.extend(taken_over, 60.0)


def test_a_slice_that_is_handed_back_waits_and_says_why(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    assert bench.ledger.hand_back(claim, "RateLimited", "later", 3600.0, forgive=True)
    (row,) = bench.rows(STATE)
    assert row == {
        "state": "ready",
        "attempts": 0,
        "owner": None,
        "lease_until": None,
        "error": "RateLimited",
        "message": "later",
    }
    assert bench.one("SELECT not_before > now() + interval '59 minutes' FROM slices")
    assert bench.ledger.take_ready(100, oldest_first=False) == []


def test_only_an_unforgiven_hand_back_is_an_attempt(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    for forgive, attempts in [(False, 1), (True, 1), (False, 2), (True, 2)]:
        assert bench.ledger.hand_back(bench.claim(), "Error", "", 0.0, forgive=forgive)
        assert bench.one("SELECT attempts FROM slices") == attempts


def test_an_advance_forgets_the_attempts_and_the_trouble_of_the_stage_before(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    bench.ledger.hand_back(bench.claim(), "Error", "crashed", 0.0, forgive=False)
    bench.work(bench.claim())
    (row,) = bench.rows(STATE)
    assert (row["state"], row["attempts"], row["error"], row["message"]) == ("dispatched", 0, "", "")


def test_whoever_lost_the_claim_hands_nothing_back(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.expire(claim)
    bench.ledger.sweep(60.0)
    before = bench.rows("SELECT * FROM slices")
    assert not bench.ledger.hand_back(claim, "Error", "late", 0.0, forgive=False)
    assert bench.rows("SELECT * FROM slices") == before


@pytest.mark.parametrize("message", ["a NUL \0 in it", "half a pair \ud83d of surrogates", "long " * 1_000])
def test_whatever_an_error_says_is_stored(bench: Bench, message: str) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    document = bench.document("a.txt")
    bench.ledger.commit_embedded(claim, [Failure(document, "InputRejected", message)])
    assert bench.ledger.hand_back(bench.claim(following(claim.token)), "Error", message, 0.0, forgive=True)
    stored = bench.rows("SELECT message FROM slices UNION ALL SELECT message FROM documents")
    stored += bench.rows("SELECT message FROM run_documents")
    assert len(stored) == 3
    assert all(row["message"][:5] == message[:5] and len(row["message"]) <= 2_000 for row in stored)


# --- the fence

Commit = Callable[[Bench, Claim, DocumentRef], object]


def failure(document: DocumentRef) -> list[Failure]:
    return [Failure(document.id, "InputRejected", "refused")]


COMMITS: dict[str, tuple[Stage, Commit]] = {
    "commit_outlines": (
        Stage.PARSE,
        lambda bench, claim, document: bench.ledger.commit_outlines(
            claim, 99, [OutlineMade(document.revision or b"", "text", 1, b"packed")], failure(document)
        ),
    ),
    "commit_chunk_sets": (
        Stage.CHUNK,
        lambda bench, claim, document: bench.ledger.commit_chunk_sets(
            claim, [ChunksMade(document, 0, "utf-8", pack_chunks(ChunkSet(document, ())))], failure(document)
        ),
    ),
    "record_rejected": (
        Stage.EMBED,
        lambda bench, claim, document: bench.ledger.record_rejected(claim, failure(document)),
    ),
    "commit_embedded": (
        Stage.EMBED,
        lambda bench, claim, document: bench.ledger.commit_embedded(claim, failure(document)),
    ),
    "commit_chunks": (
        Stage.UPSERT,
        lambda bench, claim, document: bench.ledger.commit_chunks(claim, [], bench.embedder.model, "versions"),
    ),
    "finish_slice": (
        Stage.UPSERT,
        lambda bench, claim, document: bench.ledger.finish_slice(claim, [uuid4()], failure(document)),
    ),
}
TABLES = ("slices", "documents", "run_documents", "outlines", "chunk_sets", "chunks", "embeddings", "dead_letters")


@pytest.mark.parametrize("name", COMMITS)
@pytest.mark.parametrize("taken_over", [False, True], ids=["swept", "claimed by another"])
def test_after_the_lease_is_gone_nothing_is_committed(bench: Bench, name: str, taken_over: bool) -> None:
    stage, commit = COMMITS[name]
    bench.ingest({"a.txt": "some text"})
    claim = bench.claim_at(stage)
    if stage is Stage.EMBED:
        bench.ledger.register_model(bench.embedder.model, 1)
        bench.ledger.reserve_embeddings(claim, bench.embedder.model, [b"h" * 32])
    bench.expire(claim)
    assert bench.ledger.sweep(60.0).expired == 1
    if taken_over:
        bench.claim()
    before = {name: bench.table(name) for name in TABLES}
    (row,) = bench.rows("SELECT d.id, path, language, d.generation, d.revision FROM documents d")
    with pytest.raises(ClaimLost):
        commit(bench, claim, DocumentRef(**row))
    assert {name: bench.table(name) for name in TABLES} == before


def test_nobody_takes_a_slice_over_while_a_commit_of_it_is_under_way(bench: Bench) -> None:
    """The lease is over, but the worker came first: the sweep waits for it and then finds what it left."""
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.UPSERT)
    bench.expire(claim)
    plans = [DocumentPlan(DocumentRef(bench.document("a.txt"), "a.txt", "text", 1, None))]
    commit = threading.Thread(target=bench.ledger.commit_chunks, args=(claim, plans, bench.embedder.model, "versions"))
    sweep = threading.Thread(target=bench.ledger.sweep, args=(60.0,))
    with bench.engine.begin() as holder:
        holder.execute(text("SELECT 1 FROM documents FOR UPDATE"))
        commit.start()
        wait_until(lambda: bench.waiting_for_locks() == 1, "the commit waits for the document", 10)
        sweep.start()
        wait_until(lambda: bench.waiting_for_locks() == 2, "the sweep waits for the commit", 10)
    commit.join()
    sweep.join()
    assert bench.one("SELECT committed_generation FROM documents") == 1
    assert bench.one("SELECT state FROM slices") == "ready"


def test_a_stage_is_committed_once_even_by_its_own_claim(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.work(claim)
    with pytest.raises(ClaimLost):
        bench.work(claim)
