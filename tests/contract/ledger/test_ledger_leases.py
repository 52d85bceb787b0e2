"""A token is good once, a claim is good until it is taken over, and whoever lost it writes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from harness.steps import Steps, following

from pipeline.chunk_codec import pack_chunks
from pipeline.errors import MESSAGE_LENGTH, ClaimLost, storable
from pipeline.states import SliceState
from pipeline.types import ChunkSet, Claim, DocumentRef, Failure, Stage, Token
from pipeline.work import ChunksMade, OutlineMade


def test_a_token_is_good_once(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "text"})
    token = bench.take()
    claim = bench.ledger.claim(token, "host:1", 60.0)
    assert claim is not None
    assert (claim.token, claim.run_id, claim.source_id) == (token, run.id, bench.source.id)
    assert (claim.scope, claim.attempts) == (bench.source.scope, 1)
    assert bench.ledger.claim(token, "host:2", 60.0) is None
    assert bench.only_slice().worker == "host:1"


def test_stale_early_and_foreign_tokens_claim_nothing(bench: Steps) -> None:
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


def test_a_slice_that_is_ready_or_done_cannot_be_claimed(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    ready = Token(bench.only_slice().id, Stage.PARSE, 0)
    assert bench.ledger.claim(ready, "host:1", 60.0) is None
    claim = bench.claim_at(Stage.UPSERT)
    bench.work(claim)
    assert bench.ledger.claim(claim.token, "host:1", 60.0) is None


def test_a_finished_stage_cannot_be_claimed_again(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.work(claim)
    assert bench.ledger.claim(claim.token, "host:1", 60.0) is None
    assert bench.ledger.claim(following(claim.token), "host:1", 60.0) is not None


def test_a_claim_is_extended_until_it_is_taken_over(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim(lease_seconds=5.0)
    assert bench.ledger.extend(claim, 60.0)
    bench.pass_time(10.0)
    assert bench.ledger.sweep(60.0).expired == 0
    bench.pass_time(51.0)
    assert bench.ledger.extend(claim, 60.0), "late, but nobody else wanted it"
    bench.expire(claim)
    bench.ledger.sweep(60.0)
    assert not bench.ledger.extend(claim, 60.0)
    taken_over = bench.claim()
    assert not bench.ledger.extend(claim, 60.0)
    assert bench.ledger.extend(taken_over, 60.0)


def test_a_slice_that_is_handed_back_waits_and_says_why(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    assert bench.ledger.hand_back(claim, "RateLimited", "later", 3600.0, forgive=True)
    row = bench.only_slice()
    assert (row.state, row.attempts, row.owner, row.lease_until) == (SliceState.READY, 0, None, None)
    assert (row.error, row.message) == ("RateLimited", "later")
    bench.pass_time(3540.0)
    assert bench.ledger.take_ready(100, oldest_first=False) == []
    bench.pass_time(61.0)
    assert len(bench.ledger.take_ready(100, oldest_first=False)) == 1


def test_only_an_unforgiven_hand_back_is_an_attempt(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    for forgive, attempts in [(False, 1), (True, 1), (False, 2), (True, 2)]:
        assert bench.ledger.hand_back(bench.claim(), "Error", "", 0.0, forgive=forgive)
        assert bench.only_slice().attempts == attempts


def test_an_advance_forgets_the_attempts_and_the_trouble_of_the_stage_before(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.ledger.hand_back(bench.claim(), "Error", "crashed", 0.0, forgive=False)
    bench.work(bench.claim())
    row = bench.only_slice()
    assert (row.state, row.attempts, row.error, row.message) == (SliceState.DISPATCHED, 0, "", "")


def test_whoever_lost_the_claim_hands_nothing_back(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.expire(claim)
    bench.ledger.sweep(60.0)
    before = bench.snapshot()
    assert not bench.ledger.hand_back(claim, "Error", "late", 0.0, forgive=False)
    assert bench.snapshot() == before


@pytest.mark.parametrize("message", ["a NUL \0 in it", "half a pair \ud83d of surrogates", "long " * 1_000])
def test_whatever_an_error_says_is_stored(bench: Steps, message: str) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    document = bench.document("a.txt")
    bench.ledger.commit_embedded(claim, [Failure(document, "InputRejected", message)])
    assert bench.ledger.hand_back(bench.claim(following(claim.token)), "Error", message, 0.0, forgive=True)
    (ended,) = bench.run_documents()
    stored = {bench.only_slice().message, bench.only_document().message, ended.message}
    assert stored == {storable(message)}
    assert len(storable(message)) <= MESSAGE_LENGTH


# --- the fence

Commit = Callable[[Steps, Claim, DocumentRef], object]


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
    "reserve_embeddings": (
        Stage.EMBED,
        lambda bench, claim, document: bench.ledger.reserve_embeddings(claim, bench.embedder.model, [b"n" * 32]),
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
        lambda bench, claim, document: bench.ledger.commit_chunks(claim, [], bench.embedder.model),
    ),
    "finish_slice": (
        Stage.UPSERT,
        lambda bench, claim, document: bench.ledger.finish_slice(claim, [uuid4()], failure(document)),
    ),
}


@pytest.mark.parametrize("name", COMMITS)
@pytest.mark.parametrize("taken_over", [False, True], ids=["swept", "claimed by another"])
def test_after_the_lease_is_gone_nothing_is_committed_or_reserved(bench: Steps, name: str, taken_over: bool) -> None:
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
    before, row = bench.snapshot(), bench.only_document()
    with pytest.raises(ClaimLost):
        commit(bench, claim, DocumentRef(row.id, row.path, row.language, row.generation, row.revision))
    assert bench.snapshot() == before


def test_a_stage_is_committed_once_even_by_its_own_claim(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim()
    bench.work(claim)
    with pytest.raises(ClaimLost):
        bench.work(claim)


def test_of_several_workers_with_the_same_token_one_wins(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    token, together = bench.take(), threading.Barrier(4)
    claims: list[Claim | None] = []

    def claim(number: int) -> None:
        together.wait(10)
        claims.append(bench.ledger.claim(token, f"host:{number}", 60.0))

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = [each for each in claims if each is not None]
    assert len(claims) == 4
    assert (bench.only_slice().owner, bench.only_slice().attempts) == (won.owner, 1)
