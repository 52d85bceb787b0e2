"""Embeddings cost few statements, take their rows in everybody's order, and name the server that went away."""

from __future__ import annotations

import threading

import psycopg
import pytest
from harness.bench import Bench, following
from harness.fleet import wait_until
from psycopg import sql

from pipeline.errors import ServiceUnavailable
from pipeline.identity import model_id
from pipeline.testing import hashed_vector
from pipeline.types import Claim, EmbeddingCall, EmbeddingModel, EmbeddingReply, Stage

MODEL = EmbeddingModel("testing", "recording", 8)
A, B = b"a" * 32, b"b" * 32


@pytest.fixture
def buyer(bench: Bench) -> Claim:
    """A slice at its embed stage, held by a worker."""
    bench.ledger.register_model(MODEL, 1)
    bench.ingest({"1.txt": "one"})
    return bench.claim_at(Stage.EMBED)


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


def test_saving_a_reply_locks_slice_and_embeddings_in_the_order_of_everybody_else(bench: Bench, buyer: Claim) -> None:
    """Whoever holds the slice's row may delete its reservations without waiting for a worker that waits for the row."""
    bench.ledger.reserve_embeddings(buyer, MODEL, [A])
    reply = EmbeddingReply(EmbeddingCall((A,), ("a",)), (hashed_vector("a", 8),), 7)
    late = threading.Thread(target=bench.ledger.save_reply, args=(buyer, MODEL, reply))
    with psycopg.connect(plain_url(bench)) as holder:
        holder.execute("SELECT 1 FROM slices WHERE id = %s FOR UPDATE", [buyer.token.slice_id])
        late.start()
        wait_until(lambda: bench.waiting_for_locks() == 1, "it waits for the slice's row")
        holder.execute("SELECT 1 FROM embeddings FOR UPDATE NOWAIT")
    late.join()
    assert set(bench.ledger.vectors(MODEL, [A])) == {A}


def test_who_waited_for_a_reservation_takes_none_that_was_made_meanwhile(bench: Bench) -> None:
    """It began to wait while the other slice was not claimed yet, so that one's reservation looked dead to it."""
    bench.ledger.register_model(MODEL, 1)
    bench.ingest({"1.txt": "one"}, {"2.txt": "two"})
    first, second = bench.ledger.take_ready(100, oldest_first=True)
    chunked = bench.claim_at(Stage.CHUNK, first)
    bench.work(chunked)
    late = bench.claim_at(Stage.EMBED, second)
    mine: list[frozenset[bytes]] = []

    def reserve() -> None:
        mine.append(bench.ledger.reserve_embeddings(late, MODEL, [A, B]).mine)

    waiting = threading.Thread(target=reserve)
    with psycopg.connect(plain_url(bench)) as holder:
        holder.execute(
            "INSERT INTO embeddings (model_id, embed_hash, claimed_by) VALUES (%s, %s, gen_random_uuid())",
            [model_id(MODEL.key), A],
        )
        waiting.start()
        wait_until(lambda: bench.waiting_for_locks() == 1, "it waits for what somebody else is inserting")
        buyer = bench.claim(following(chunked.token))
        mine.append(bench.ledger.reserve_embeddings(buyer, MODEL, [B]).mine)
        holder.rollback()
    waiting.join()
    assert mine == [{B}, {A}]


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
