"""A commit and whoever would take its slice over meet at the slice's row; what came first holds."""

from __future__ import annotations

import threading

import pytest
from harness.bench import Bench
from harness.fleet import wait_until
from sqlalchemy import text

from pipeline.errors import ClaimLost
from pipeline.types import DocumentRef, Stage
from pipeline.upsert import DocumentPlan
from pipeline.work import Swept


def plans_of(bench: Bench) -> list[DocumentPlan]:
    return [DocumentPlan(DocumentRef(bench.document("a.txt"), "a.txt", "text", 1, None))]


def test_a_slice_that_is_being_committed_is_skipped_and_taken_by_a_later_sweep(bench: Bench) -> None:
    """The lease is over, but the worker came first: it is not declared lost before what it leaves can be seen."""
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.UPSERT)
    bench.expire(claim)
    commit = threading.Thread(target=bench.ledger.commit_chunks, args=(claim, plans_of(bench), bench.embedder.model))
    with bench.engine.begin() as holder:
        holder.execute(text("SELECT 1 FROM documents FOR UPDATE"))
        commit.start()
        wait_until(lambda: bench.waiting_for_locks() == 1, "the commit waits for the document", 10)
        assert bench.ledger.sweep(60.0) == Swept(0, 0, 0, 0, 0)
        assert bench.only_slice().state == "running"
        assert bench.waiting_for_locks() == 1, "the commit still waits, and nobody else did"
    commit.join()
    assert bench.one("SELECT committed_generation FROM documents") == 1
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 0, 0, 0)
    assert bench.one("SELECT state FROM slices") == "ready"


def test_a_worker_that_was_declared_lost_first_commits_nothing(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.UPSERT)
    bench.expire(claim)
    assert bench.ledger.sweep(60.0) == Swept(1, 0, 0, 0, 0)
    with pytest.raises(ClaimLost):
        bench.ledger.commit_chunks(claim, plans_of(bench), bench.embedder.model)
    assert bench.one("SELECT committed_generation FROM documents") == 0
