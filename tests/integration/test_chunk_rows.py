"""Rows of chunks that an earlier version wrote lack what it did not record; they are read, and completed later."""

from __future__ import annotations

from harness.bench import Bench
from harness.revisions import functions

from pipeline.types import Stage
from tasks.indexing import bring_to_index


def test_a_row_without_parent_or_facts_gets_them_with_the_next_generation_at_no_cost_for_the_index(
    bench: Bench,
) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    complete = bench.standing()
    bench.rows("UPDATE chunks SET parent_start = NULL, parent_end = NULL, facts = NULL")
    bench.index.forget_log()
    bench.ingest({"a.py": functions("one", "two")})
    claim = bench.claim_at(Stage.UPSERT)
    (work,) = bench.ledger.documents_to_upsert(claim)
    own = sorted((each.chunk.start, each.chunk.end) for each in work.committed)
    assert sorted((each.chunk.parent_start, each.chunk.parent_end) for each in work.committed) == own
    assert {each.chunk.facts for each in work.committed} == {None}
    bring_to_index(bench.context, claim)
    assert bench.standing() == complete
    assert (bench.index.written, bench.index.moved, bench.index.deleted) == ([], [], [])
