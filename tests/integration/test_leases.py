"""A commit and whoever would take its slice over meet at the slice's row; what came first holds."""

from __future__ import annotations

import threading

from harness.bench import Bench
from harness.fleet import wait_until
from sqlalchemy import text

from pipeline.types import DocumentRef, Stage
from pipeline.upsert import DocumentPlan


def test_nobody_takes_a_slice_over_while_a_commit_of_it_is_under_way(bench: Bench) -> None:
    """The lease is over, but the worker came first: the sweep waits for it and then finds what it left."""
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.UPSERT)
    bench.expire(claim)
    plans = [DocumentPlan(DocumentRef(bench.document("a.txt"), "a.txt", "text", 1, None))]
    commit = threading.Thread(target=bench.ledger.commit_chunks, args=(claim, plans, bench.embedder.model))
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
