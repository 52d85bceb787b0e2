"""Every embedding is bought once: reserved by one slice at a time, kept exactly, and counted where it was bought."""

from __future__ import annotations

import struct
import threading

import numpy as np
import psycopg
import pytest
from harness.bench import Bench, following
from harness.fleet import wait_until
from psycopg import sql

from pipeline.errors import ServiceUnavailable
from pipeline.testing import hashed_vector
from pipeline.types import Claim, EmbeddingCall, EmbeddingModel, EmbeddingReply, Failure, Stage

MODEL = EmbeddingModel("testing", "recording", 8)
A, B, C = (letter * 32 for letter in (b"a", b"b", b"c"))


@pytest.fixture
def buyers(bench: Bench) -> list[Claim]:
    """Two slices at their embed stage, each held by a worker."""
    bench.ledger.register_model(MODEL, 1)
    bench.ingest({"1.txt": "one"}, {"2.txt": "two"})
    tokens = bench.ledger.take_ready(100, oldest_first=True)
    return [bench.claim_at(Stage.EMBED, token) for token in tokens]


def reply(*hashes: bytes, tokens: int = 7) -> EmbeddingReply:
    texts = tuple(each.hex() for each in hashes)
    return EmbeddingReply(EmbeddingCall(hashes, texts), tuple(hashed_vector(text, 8) for text in texts), tokens)


# --- reserving


def test_what_nobody_has_is_mine_and_what_another_is_buying_is_awaited(bench: Bench, buyers: list[Claim]) -> None:
    first, second = buyers
    assert bench.ledger.reserve_embeddings(first, MODEL, [A, B]).mine == {A, B}
    reservation = bench.ledger.reserve_embeddings(second, MODEL, [B, C])
    assert (reservation.mine, reservation.others) == ({C}, {B})


def test_what_is_bought_is_neither_mine_nor_awaited(bench: Bench, buyers: list[Claim]) -> None:
    first, _ = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.ledger.save_reply(first, MODEL, reply(A))
    for claim in buyers:
        reservation = bench.ledger.reserve_embeddings(claim, MODEL, [A])
        assert (reservation.mine, reservation.others) == (set(), set())


def test_a_slice_that_is_tried_again_reserves_its_own_again(bench: Bench, buyers: list[Claim]) -> None:
    first, _ = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A, B])
    bench.ledger.save_reply(first, MODEL, reply(A))
    bench.ledger.hand_back(first, "RateLimited", "", 0.0, forgive=True)
    again = bench.claim()
    assert bench.ledger.reserve_embeddings(again, MODEL, [A, B]).mine == {B}


def test_a_refused_document_is_failed_at_once_and_the_slice_goes_on_without_it(bench: Bench) -> None:
    bench.ingest({"good.txt": "one", "bad.txt": "two"})
    claim = bench.claim_at(Stage.EMBED)
    bad = bench.document("bad.txt")
    bench.ledger.record_rejected(claim, [Failure(bad, "InputRejected", "refused")])
    assert [work.document.path for work in bench.ledger.documents_to_embed(claim)] == ["good.txt"]
    bench.ledger.hand_back(claim, "RateLimited", "", 0.0, forgive=True)
    again = bench.claim()
    assert [work.document.path for work in bench.ledger.documents_to_embed(again)] == ["good.txt"]
    bench.ledger.commit_embedded(again, [])
    (row,) = bench.rows("SELECT outcome, error FROM run_documents WHERE document_id = :id", id=bad)
    assert (row["outcome"], row["error"]) == ("failed", "InputRejected")


@pytest.mark.parametrize("fate", ["lease over", "swept", "handed back", "given up", "done"])
def test_a_reservation_lives_as_long_as_the_lease_of_its_slice(bench: Bench, buyers: list[Claim], fate: str) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    if fate in {"lease over", "swept", "given up"}:
        bench.expire(first)
    if fate == "given up":
        bench.rows("UPDATE slices SET attempts = 3 WHERE id = :id", id=first.token.slice_id)
    if fate in {"swept", "given up"}:
        bench.ledger.sweep(60.0)
    if fate == "handed back":
        bench.ledger.hand_back(first, "RateLimited", "", 60.0, forgive=True)
    if fate == "done":
        bench.ledger.commit_embedded(first, [])
    assert bench.ledger.reserve_embeddings(second, MODEL, [A]).mine == {A}


def test_who_took_a_reservation_over_is_awaited_by_the_first(bench: Bench, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.expire(first)
    bench.ledger.reserve_embeddings(second, MODEL, [A])
    bench.ledger.extend(first, 60.0)
    reservation = bench.ledger.reserve_embeddings(first, MODEL, [A])
    assert (reservation.mine, reservation.others) == (set(), {A})


def test_models_do_not_share_embeddings(bench: Bench, buyers: list[Claim]) -> None:
    other = EmbeddingModel("testing", "other", 8)
    bench.ledger.register_model(other, 1)
    bench.ledger.save_reply(buyers[0], MODEL, reply(A))
    assert bench.ledger.reserve_embeddings(buyers[0], other, [A]).mine == {A}
    assert bench.ledger.vectors(other, [A]) == {}


def test_what_was_reserved_in_vain_is_released_with_the_stage(bench: Bench, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.ledger.reserve_embeddings(second, MODEL, [B])
    bench.ledger.commit_embedded(first, [])
    assert [row["embed_hash"] for row in bench.rows("SELECT embed_hash FROM embeddings")] == [B]


def test_slices_that_want_the_same_at_once_share_it_out(bench: Bench, buyers: list[Claim]) -> None:
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


# --- keeping


def test_a_vector_comes_back_to_the_last_bit(bench: Bench, buyers: list[Claim]) -> None:
    numbers = [0.1, -0.0, 1e-45, 3.4028234e38, -1.1754944e-38, 1 / 3, 16_777_217.0, 5.0]
    exact = struct.pack("<8f", *numbers)
    call = EmbeddingCall((A, B), ("a", "b"))
    bench.ledger.save_reply(buyers[0], MODEL, EmbeddingReply(call, (exact, hashed_vector("b", 8)), 3))
    assert bench.ledger.vectors(MODEL, [A, B, C]) == {A: exact, B: hashed_vector("b", 8)}


def test_large_vectors_come_back_exactly(bench: Bench, buyers: list[Claim]) -> None:
    model = EmbeddingModel("testing", "large", 3_072)
    bench.ledger.register_model(model, 1)
    exact = np.random.default_rng(7).standard_normal(3_072).astype("<f4").tobytes()
    bench.ledger.save_reply(buyers[0], model, EmbeddingReply(EmbeddingCall((A,), ("a",)), (exact,), 1))
    assert bench.ledger.vectors(model, [A, A]) == {A: exact}


def test_a_call_is_counted_on_the_slice_that_paid_for_it(bench: Bench, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.save_reply(first, MODEL, reply(A, B, tokens=11))
    bench.ledger.save_reply(first, MODEL, reply(C, tokens=5))
    counts = "SELECT embedding_calls, embedding_inputs, embedding_tokens FROM slices WHERE id = :id"
    assert list(bench.rows(counts, id=first.token.slice_id)[0].values()) == [2, 3, 16]
    assert list(bench.rows(counts, id=second.token.slice_id)[0].values()) == [0, 0, 0]


def test_what_is_paid_for_is_kept_even_after_the_claim_is_lost(bench: Bench, buyers: list[Claim]) -> None:
    first, second = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    bench.expire(first)
    bench.ledger.sweep(60.0)
    assert bench.ledger.reserve_embeddings(second, MODEL, [A]).mine == {A}
    bench.ledger.save_reply(first, MODEL, reply(A))
    assert set(bench.ledger.vectors(MODEL, [A])) == {A}
    assert bench.ledger.reserve_embeddings(second, MODEL, [A]).mine == set()


def test_a_vector_that_is_stored_is_not_replaced_by_a_later_one(bench: Bench, buyers: list[Claim]) -> None:
    bench.ledger.save_reply(buyers[0], MODEL, reply(A))
    other = EmbeddingReply(EmbeddingCall((A,), ("a",)), (hashed_vector("other", 8),), 1)
    bench.ledger.save_reply(buyers[1], MODEL, other)
    assert bench.ledger.vectors(MODEL, [A]) == {A: reply(A).vectors[0]}


def test_a_model_is_registered_once(bench: Bench) -> None:
    for version in (1, 1, 2):
        bench.ledger.register_model(MODEL, version)
    assert bench.rows("SELECT provider, name, dims, header_version FROM models") == [
        {"provider": "testing", "name": "recording", "dims": 8, "header_version": 1}
    ]


def test_one_chunk_and_many_take_the_same_number_of_statements(bench: Bench) -> None:
    counts: list[dict[str, int]] = []
    for chunks in (1, 500):
        bench.ingest({f"{chunks}.txt": "\n\n".join(f"Paragraph {chunks} {number}." for number in range(chunks))})
        token = bench.take()
        sent: dict[str, int] = {}
        for stage in Stage:
            claim = bench.claim(token)
            with bench.counted_statements() as statements:
                bench.work(claim)
            # A provider call takes as many texts as it may, and every call is committed for itself.
            sent[stage] = len(statements)
            token = following(token) if stage is not Stage.UPSERT else token
        counts.append(sent)
    assert bench.one("SELECT max(chunks_total) FROM slices") >= 400
    calls = bench.one("SELECT max(embedding_calls) FROM slices")
    counts[1][Stage.EMBED] -= (calls - 1) * 2
    assert counts[0] == counts[1]


# --- beside others


def test_saving_a_reply_locks_slice_and_embeddings_in_the_order_of_everybody_else(
    bench: Bench, buyers: list[Claim]
) -> None:
    """Whoever holds the slice's row may delete its reservations without waiting for a worker that waits for the row."""
    first, _ = buyers
    bench.ledger.reserve_embeddings(first, MODEL, [A])
    late = threading.Thread(target=bench.ledger.save_reply, args=(first, MODEL, reply(A)))
    with psycopg.connect(plain_url(bench)) as holder:
        holder.execute("SELECT 1 FROM slices WHERE id = %s FOR UPDATE", [first.token.slice_id])
        late.start()
        wait_until(lambda: bench.waiting_for_locks() == 1, "it waits for the slice's row")
        holder.execute("SELECT 1 FROM embeddings FOR UPDATE NOWAIT")
    late.join()
    assert set(bench.ledger.vectors(MODEL, [A])) == {A}


@pytest.mark.parametrize("fate", ["pg_terminate_backend", "pg_cancel_backend"])
def test_a_server_that_ends_or_times_out_while_vectors_are_read_is_named(bench: Bench, fate: str) -> None:
    """Vectors are read past SQLAlchemy, so the driver's own errors must be translated too."""
    caught: list[BaseException] = []

    def read() -> None:
        try:
            bench.ledger.vectors(MODEL, [A])
        except ServiceUnavailable as exc:
            caught.append(exc)

    reader = threading.Thread(target=read)
    with psycopg.connect(plain_url(bench)) as holder:
        holder.execute("LOCK TABLE embeddings")
        reader.start()
        wait_until(lambda: bench.waiting_for_locks() == 1, "it waits for the table")
        holder.execute(
            sql.SQL(
                "SELECT {}(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).format(sql.Identifier(fate))
        )
        reader.join(30)
    assert [str(exc).startswith("Postgres does not answer") for exc in caught] == [True]


def plain_url(bench: Bench) -> str:
    return bench.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
