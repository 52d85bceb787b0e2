"""Every embedding is bought once: reserved by one slice at a time, kept exactly, and counted where it was bought."""

from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
from harness.steps import Steps

from pipeline.errors import ClaimLost
from pipeline.testing import hashed_vector
from pipeline.types import Claim, EmbeddingCall, EmbeddingModel, EmbeddingReply, Stage

MODEL = EmbeddingModel("testing", "recording", 8)
A, B, C = (letter * 32 for letter in (b"a", b"b", b"c"))


@pytest.fixture
def buyers(bench: Steps) -> list[Claim]:
    """Two slices at their embed stage, each held by a worker."""
    bench.ledger.register_model(MODEL, 1)
    bench.ingest({"1.txt": "one"}, {"2.txt": "two"})
    tokens = bench.ledger.take_ready(100, oldest_first=True)
    return [bench.claim_at(Stage.EMBED, token) for token in tokens]


def reply(*hashes: bytes, tokens: int = 7) -> EmbeddingReply:
    texts = tuple(each.hex() for each in hashes)
    return EmbeddingReply(EmbeddingCall(hashes, texts), tuple(hashed_vector(text, 8) for text in texts), tokens)


# --- reserving


def test_what_nobody_has_is_mine_and_what_another_is_buying_is_awaited(bench: Steps, buyers: list[Claim]) -> None:
    first, second = buyers
    assert bench.ledger.reserve_embeddings(first, MODEL, [A, B]).mine == {A, B}
    reservation = bench.ledger.reserve_embeddings(second, MODEL, [B, C])
    assert (reservation.mine, reservation.others) == ({C}, {B})


def test_what_is_bought_is_neither_mine_nor_awaited(bench: Steps, buyers: list[Claim]) -> None:
    first, _ = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.ledger.save_reply(first, MODEL, reply(A))
    for claim in buyers:
        reservation = bench.ledger.reserve_embeddings(claim, MODEL, [A])
        assert (reservation.mine, reservation.others) == (set(), set())


def test_a_slice_that_is_tried_again_reserves_its_own_again(bench: Steps, buyers: list[Claim]) -> None:
    first, _ = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A, B])
    bench.ledger.save_reply(first, MODEL, reply(A))
    bench.ledger.hand_back(first, "RateLimited", "", 0.0, forgive=True)
    again = bench.claim()
    assert bench.ledger.reserve_embeddings(again, MODEL, [A, B]).mine == {B}


@pytest.mark.parametrize("fate", ["lease over", "swept", "handed back", "given up", "done"])
def test_a_reservation_lives_as_long_as_the_lease_of_its_slice(bench: Steps, buyers: list[Claim], fate: str) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    if fate in {"lease over", "swept"}:
        bench.expire(first)
    if fate == "given up":
        bench.wear_out(first.token.slice_id)
        bench.crash(first)
    if fate in {"swept", "given up"}:
        bench.ledger.sweep(60.0)
    if fate == "handed back":
        bench.ledger.hand_back(first, "RateLimited", "", 60.0, forgive=True)
    if fate == "done":
        bench.ledger.commit_embedded(first, [])
    assert bench.ledger.reserve_embeddings(second, MODEL, [A]).mine == {A}


def test_who_took_a_reservation_over_is_awaited_by_the_first(bench: Steps, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.expire(first)
    bench.ledger.reserve_embeddings(second, MODEL, [A])
    bench.ledger.extend(first, 60.0)
    reservation = bench.ledger.reserve_embeddings(first, MODEL, [A])
    assert (reservation.mine, reservation.others) == (set(), {A})


def test_models_do_not_share_embeddings(bench: Steps, buyers: list[Claim]) -> None:
    other = EmbeddingModel("testing", "other", 8)
    bench.ledger.register_model(other, 1)
    bench.ledger.save_reply(buyers[0], MODEL, reply(A))
    assert bench.ledger.reserve_embeddings(buyers[0], other, [A]).mine == {A}
    assert bench.ledger.vectors(other, [A]) == {}


def test_what_was_reserved_in_vain_is_released_with_the_stage(bench: Steps, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.ledger.reserve_embeddings(second, MODEL, [B])
    bench.ledger.commit_embedded(first, [])
    assert bench.reserved() == {B}


def test_slices_that_want_the_same_at_once_share_it_out(bench: Steps, buyers: list[Claim]) -> None:
    hashes = [bytes([number]) * 32 for number in range(200)]
    together = threading.Barrier(2)
    mine: list[frozenset[bytes]] = []

    def reserve(claim: Claim, wanted: list[bytes]) -> None:
        together.wait(10)
        mine.append(bench.ledger.reserve_embeddings(claim, MODEL, wanted).mine)

    orders = (hashes, hashes[::-1])
    threads = [threading.Thread(target=reserve, args=pair) for pair in zip(buyers, orders, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mine[0] | mine[1] == set(hashes)
    assert not mine[0] & mine[1]


def test_a_worker_that_lost_its_slice_before_it_reserved_pays_for_nothing(bench: Steps) -> None:
    """It slept through its lease; its successor is buying all that the slice needs."""
    bench.ingest({"a.txt": "some text"})
    sleeper = bench.claim_at(Stage.EMBED)
    bench.pass_time(61.0)
    bench.ledger.sweep(60.0)
    successor = bench.claim()
    with pytest.raises(ClaimLost):
        bench.work(sleeper)
    assert bench.embedder.calls == []
    bench.work(successor)
    assert len(bench.embedder.bought) == len(set(bench.embedder.bought)) == 1


def test_a_model_must_be_registered_before_anything_is_bought_with_it(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    with pytest.raises(Exception, match=r"fk_embeddings_model_id|register_model"):
        bench.ledger.reserve_embeddings(claim, MODEL, [A])
    assert bench.reserved() == set()


# --- when the run is cancelled


def test_what_a_cancelled_slice_has_in_flight_is_not_bought_by_the_next_run(bench: Steps) -> None:
    cancelled, following = cancelled_and_next(bench)
    reservation = bench.ledger.reserve_embeddings(following, MODEL, [A, B])
    assert (reservation.mine, reservation.others) == ({B}, {A})
    bench.ledger.save_reply(cancelled, MODEL, reply(A))
    reservation = bench.ledger.reserve_embeddings(following, MODEL, [A])
    assert (reservation.mine, reservation.others) == (set(), set())


def test_what_a_cancelled_slice_reserved_is_free_when_its_worker_has_let_go(bench: Steps) -> None:
    cancelled, following = cancelled_and_next(bench)
    assert not bench.ledger.hand_back(cancelled, "Halted", "", 0.0, forgive=True)
    assert bench.reserved() == set()
    assert bench.ledger.reserve_embeddings(following, MODEL, [A]).mine == {A}
    assert not bench.ledger.keep_reserved(cancelled, 60.0)
    assert not bench.ledger.hand_back(cancelled, "Halted", "", 0.0, forgive=True)
    assert bench.reserved() == {A}


def test_what_a_cancelled_slice_reserved_is_free_a_lease_after_its_worker_died(bench: Steps) -> None:
    cancelled, following = cancelled_and_next(bench)
    bench.pass_time(50.0)
    assert bench.ledger.keep_reserved(cancelled, 60.0)
    bench.pass_time(50.0)
    assert bench.ledger.reserve_embeddings(following, MODEL, [A]).others == {A}
    bench.pass_time(11.0)
    assert bench.ledger.reserve_embeddings(following, MODEL, [A]).mine == {A}


def test_what_nobody_is_buying_is_free_as_soon_as_its_run_is_cancelled(bench: Steps) -> None:
    bench.ledger.register_model(MODEL, 1)
    run = bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    bench.ledger.reserve_embeddings(claim, MODEL, [A])
    bench.ledger.hand_back(claim, "RateLimited", "", 60.0, forgive=True)
    bench.control.cancel("tenant", run.id)
    assert bench.reserved() == set()


def test_a_slice_that_goes_on_for_another_run_keeps_what_it_has_reserved(bench: Steps) -> None:
    bench.ledger.register_model(MODEL, 1)
    owner = bench.ingest({"shared.txt": "text", "own.txt": "other"})
    first = bench.claim_at(Stage.EMBED)
    with bench.plan() as waiting:
        bench.intake.join(waiting, [bench.accepted(bench.source, "shared.txt", "text")])
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.control.cancel("tenant", owner.id)
    assert bench.ledger.extend(first, 60.0)
    bench.ingest({"b.txt": "text"})
    assert bench.ledger.reserve_embeddings(bench.claim_at(Stage.EMBED), MODEL, [A]).others == {A}


def test_only_the_worker_of_a_cancelled_slice_keeps_or_lets_go_of_its_reservations(bench: Steps) -> None:
    bench.ledger.register_model(MODEL, 1)
    run = bench.ingest({"a.txt": "text"})
    sleeper = bench.claim_at(Stage.EMBED)
    assert not bench.ledger.keep_reserved(sleeper, 600.0), "it is not cancelled"
    bench.pass_time(61.0)
    bench.ledger.sweep(60.0)
    buyer = bench.claim()
    bench.ledger.reserve_embeddings(buyer, MODEL, [A])
    bench.control.cancel("tenant", run.id)
    assert not bench.ledger.keep_reserved(sleeper, 600.0)
    bench.ledger.hand_back(sleeper, "Halted", "", 0.0, forgive=True)
    assert bench.reserved() == {A}


def cancelled_and_next(bench: Steps) -> tuple[Claim, Claim]:
    """Return the claim of a cancelled slice that has reserved A, and the claim of the run that came after it."""
    bench.ledger.register_model(MODEL, 1)
    run = bench.ingest({"a.txt": "text"})
    cancelled = bench.claim_at(Stage.EMBED)
    bench.ledger.reserve_embeddings(cancelled, MODEL, [A])
    bench.control.cancel("tenant", run.id)
    bench.ingest({"a.txt": "text"})
    return cancelled, bench.claim_at(Stage.EMBED)


# --- keeping


def test_a_vector_comes_back_to_the_last_bit(bench: Steps, buyers: list[Claim]) -> None:
    numbers = [0.1, -0.0, 1e-45, 3.4028234e38, -1.1754944e-38, 1 / 3, 16_777_217.0, 5.0]
    exact = struct.pack("<8f", *numbers)
    call = EmbeddingCall((A, B), ("a", "b"))
    bench.ledger.save_reply(buyers[0], MODEL, EmbeddingReply(call, (exact, hashed_vector("b", 8)), 3))
    assert bench.ledger.vectors(MODEL, [A, B, C]) == {A: exact, B: hashed_vector("b", 8)}


def test_large_vectors_come_back_exactly(bench: Steps, buyers: list[Claim]) -> None:
    model = EmbeddingModel("testing", "large", 3_072)
    bench.ledger.register_model(model, 1)
    exact = np.random.default_rng(7).standard_normal(3_072).astype("<f4").tobytes()
    bench.ledger.save_reply(buyers[0], model, EmbeddingReply(EmbeddingCall((A,), ("a",)), (exact,), 1))
    assert bench.ledger.vectors(model, [A, A]) == {A: exact}


def test_a_call_is_counted_on_the_slice_that_paid_for_it(bench: Steps, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.save_reply(first, MODEL, reply(A, B, tokens=11))
    bench.ledger.save_reply(first, MODEL, reply(C, tokens=5))
    counts = {row.id: (row.embedding_calls, row.embedding_inputs, row.embedding_tokens) for row in bench.slices()}
    assert counts == {first.token.slice_id: (2, 3, 16), second.token.slice_id: (0, 0, 0)}


def test_what_is_paid_for_is_kept_even_after_the_claim_is_lost(bench: Steps, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.expire(first)
    bench.ledger.sweep(60.0)
    assert bench.ledger.reserve_embeddings(second, MODEL, [A]).mine == {A}
    bench.ledger.save_reply(first, MODEL, reply(A))
    assert set(bench.ledger.vectors(MODEL, [A])) == {A}
    assert bench.ledger.reserve_embeddings(second, MODEL, [A]).mine == set()


def test_a_vector_that_is_stored_is_not_replaced_by_a_later_one(bench: Steps, buyers: list[Claim]) -> None:
    bench.ledger.save_reply(buyers[0], MODEL, reply(A))
    other = EmbeddingReply(EmbeddingCall((A,), ("a",)), (hashed_vector("other", 8),), 1)
    bench.ledger.save_reply(buyers[1], MODEL, other)
    assert bench.ledger.vectors(MODEL, [A]) == {A: reply(A).vectors[0]}


def test_a_model_is_registered_once(bench: Steps) -> None:
    for version in (1, 1, 2):
        bench.ledger.register_model(MODEL, version)
    assert bench.models() == {"recording": 1}
