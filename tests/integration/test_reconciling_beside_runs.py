"""Beside a run there is no false alarm at any step, real drift is found all the same, and two passes never meet."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from harness.bench import Bench
from harness.reconciling import change, counts, look, mend, plant_orphans, reconcile_context
from harness.revisions import functions

from models.listings import read_reconciliations
from models.reconciling import KEPT_PASSES, PostgresReconciliation
from pipeline.errors import ServiceUnavailable
from pipeline.reconcile import Drift, Suspect
from pipeline.reconcile_ports import ReconciliationLost
from pipeline.reconciliation import DriftKind, PassCounts, ReconciliationState
from pipeline.types import Claim, Stage
from tasks.indexing import bring_to_index
from tasks.reconciliation_pass import reconcile

BEFORE, AFTER = functions("one", "two", "three", "four"), functions("new", "newer", "two", "four")


def by_name(bench: Bench, name: str) -> UUID:
    found: UUID = bench.one("SELECT id FROM chunks WHERE name = :name", name=name)
    return found


def edited(bench: Bench) -> Claim:
    """Index a document and return the claim of its edit's last stage: it writes, moves and deletes points."""
    bench.ingest({"a.py": BEFORE})
    bench.finish()
    bench.ingest({"a.py": AFTER})
    return bench.claim_at(Stage.UPSERT)


# --- no false alarm


@pytest.mark.parametrize("act", [look, mend])
@pytest.mark.parametrize("call", ["upsert", "move", "retrieve", "delete"])
def test_a_pass_at_any_step_of_a_run_finds_nothing_and_disturbs_nothing(bench: Bench, call: str, act) -> None:
    claim = edited(bench)
    seen: list[tuple[int, int, int]] = []
    bench.index.after[call] = lambda: seen.append(counts(act(bench)))
    bring_to_index(bench.context, claim)
    assert seen == [(0, 0, 0)]
    bench.assert_index_is_true()
    report = look(bench)
    assert (counts(report), report.counts.deferred) == ((0, 0, 0), 0)


@pytest.mark.parametrize("call", ["delete", "retrieve"])
def test_a_pass_in_the_middle_of_a_deletion_finds_nothing(bench: Bench, call: str) -> None:
    bench.ingest({"a.py": BEFORE})
    bench.finish()
    bench.delete("a.py")
    claim = bench.claim_at(Stage.UPSERT)
    seen: list[tuple[int, int, int]] = []
    bench.index.after[call] = lambda: seen.append(counts(mend(bench)))
    bring_to_index(bench.context, claim)
    assert seen == [(0, 0, 0)]
    assert bench.index.points == {}


@pytest.mark.parametrize("call", ["upsert", "move", "delete"])
def test_what_a_dead_worker_left_half_done_is_left_to_the_one_that_takes_over(bench: Bench, call: str) -> None:
    claim = edited(bench)

    def die() -> None:
        raise KeyboardInterrupt

    bench.index.after[call] = die
    with pytest.raises(KeyboardInterrupt):
        bring_to_index(bench.context, claim)
    report = mend(bench)
    assert counts(report) == (0, 0, 0)
    assert (report.counts.deferred > 0) == (call != "delete")
    bench.expire(claim)
    bench.ledger.sweep(60.0)
    bring_to_index(bench.context, bench.claim())
    bench.assert_index_is_true()


def test_points_that_are_committed_between_scan_and_judgement_are_no_drift(bench: Bench) -> None:
    """The scan sees the index before the commit, and the judgement the ledger after it, and the other way round."""
    claim = edited(bench)
    real = bench.index.scan

    def late(*args: object) -> object:
        page = real(*args)
        if bench.one("SELECT state FROM slices WHERE id = :id", id=claim.token.slice_id) == "running":
            bring_to_index(bench.context, claim)
        return page

    bench.index.scan = late
    report = mend(bench)
    assert (counts(report), report.counts.deferred) == ((0, 0, 0), 0)
    bench.assert_index_is_true()


# --- what a run that failed leaves behind is drift


def test_leftovers_of_a_generation_that_failed_are_mended(bench: Bench) -> None:
    claim = edited(bench)

    def fail() -> None:
        raise ServiceUnavailable("Qdrant")

    bench.index.after["move"] = fail
    with pytest.raises(ServiceUnavailable):
        bring_to_index(bench.context, claim)
    assert counts(look(bench)) == (0, 0, 0), "the slice is still to be tried again"
    bench.rows("UPDATE slices SET state = 'failed', owner = NULL, lease_until = NULL WHERE state = 'running'")
    bench.rows("UPDATE run_documents SET outcome = 'failed' WHERE outcome = 'pending'")
    bench.rows("UPDATE documents SET state = 'failed'")
    assert counts(look(bench)) == (0, 2, 1), "two new points, and one that was moved ahead of its chunk"
    assert mend(bench).counts.left == 0
    bench.assert_index_is_true()
    bench.ingest({"a.py": AFTER})
    bench.finish()
    bench.assert_index_is_true()
    assert counts(look(bench)) == (0, 0, 0)


# --- drift in a document that a run is at work on


def test_certain_drift_of_a_pending_document_is_found_and_mended_at_once(bench: Bench) -> None:
    claim = edited(bench)
    del bench.index.points[by_name(bench, "one")]
    change(bench, by_name(bench, "two"), generation=0)
    change(bench, by_name(bench, "three"), text_hash="00")
    change(bench, by_name(bench, "four"), generation=50)
    (orphan,) = plant_orphans(bench, 1, document=bench.document("a.py"), generation=1)
    report = mend(bench)
    assert (counts(report), report.counts.repaired, report.counts.deferred) == ((1, 1, 3), 5, 0)
    assert orphan not in bench.index.points
    bring_to_index(bench.context, claim)
    bench.assert_index_is_true()
    assert counts(look(bench)) == (0, 0, 0)


def test_what_the_run_may_have_written_is_left_to_the_next_pass(bench: Bench) -> None:
    claim = edited(bench)
    (orphan,) = plant_orphans(bench, 1, document=bench.document("a.py"), generation=2)
    change(bench, by_name(bench, "two"), generation=2, text_hash="00")
    report = mend(bench)
    assert (counts(report), report.counts.deferred) == ((0, 0, 0), 2)
    bring_to_index(bench.context, claim)
    assert mend(bench).counts.left == 0
    assert orphan not in bench.index.points
    bench.assert_index_is_true()


def test_a_document_that_others_hold_is_waited_for_and_then_judged(bench: Bench) -> None:
    bench.ingest({"a.py": BEFORE, "b.py": functions("five", "six")})
    bench.finish()
    for name in ("one", "two", "five"):
        del bench.index.points[by_name(bench, name)]
    found: list[tuple[int, int, int]] = []
    with bench.engine.begin() as other:
        other.exec_driver_sql("SELECT id FROM documents WHERE path = 'a.py' FOR UPDATE")
        passing = threading.Thread(target=lambda: found.append(counts(mend(bench))))
        passing.start()
        while not bench.waiting_for_locks():
            assert passing.is_alive()
    passing.join()
    assert found == [(3, 0, 0)]
    bench.assert_index_is_true()


def test_what_others_hold_is_not_claimed_and_has_no_standing(bench: Bench) -> None:
    bench.ingest({"a.py": BEFORE, "b.py": functions("five")})
    bench.finish()
    ledger, model = PostgresReconciliation(bench.engine), bench.embedder.model
    mine, theirs = by_name(bench, "five"), by_name(bench, "one")
    suspects = [Suspect(mine, None), Suspect(theirs, None), Suspect(9, None)]
    with bench.engine.begin() as other:
        other.exec_driver_sql("SELECT id FROM documents WHERE path = 'a.py' FOR UPDATE")
        with ledger.claimed(model, suspects, wait=False) as claimed:
            assert set(claimed.standings) == {mine, 9}
            assert claimed.busy == {bench.document("a.py"): [Suspect(theirs, bench.document("a.py"))]}


def test_nobody_commits_chunks_or_accepts_a_revision_while_a_document_is_claimed(bench: Bench) -> None:
    claim = edited(bench)
    ledger = PostgresReconciliation(bench.engine)
    worker = threading.Thread(target=bring_to_index, args=(bench.context, claim))
    with ledger.claimed(bench.embedder.model, [Suspect(by_name(bench, "one"), None)], wait=True):
        worker.start()
        while not bench.waiting_for_locks():
            assert worker.is_alive()
        assert bench.one("SELECT committed_generation FROM documents") == 1
    worker.join()
    assert bench.one("SELECT committed_generation FROM documents") == 2


# --- never two at once


def test_a_second_pass_ends_at_once_and_the_first_goes_on(bench: Bench) -> None:
    bench.ingest({"a.py": BEFORE})
    bench.finish()
    context = reconcile_context(bench)
    held = context.ledger.begin(None, is_repair=True, lease_seconds=60.0)
    assert held is not None
    assert reconcile(context, None, is_repair=True) is None
    context.ledger.extend(held, PassCounts(compared=4), 60.0)
    context.ledger.finish(held, PassCounts(compared=4), ReconciliationState.FINISHED, "")
    assert reconcile(context, None, is_repair=True) is not None
    assert bench.rows("SELECT state, compared FROM reconciliations") == [{"state": "finished", "compared": 4}] * 2


def test_of_many_that_begin_at_once_one_does(bench: Bench) -> None:
    ledger = PostgresReconciliation(bench.engine)
    start, begun = threading.Barrier(4), []

    def begin() -> None:
        start.wait()
        begun.append(ledger.begin(None, is_repair=False, lease_seconds=60.0))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(held is not None for held in begun) == 1


def test_a_pass_whose_process_died_is_taken_over_when_its_lease_has_expired(bench: Bench) -> None:
    ledger = PostgresReconciliation(bench.engine)
    dead = ledger.begin(None, is_repair=True, lease_seconds=60.0)
    assert dead is not None
    assert ledger.begin(None, is_repair=True, lease_seconds=60.0) is None
    bench.rows("UPDATE reconciliations SET lease_until = now() - interval '1 s'")
    assert look(bench).state is ReconciliationState.FINISHED
    states = bench.rows("SELECT state, finished_at IS NOT NULL AS is_over FROM reconciliations ORDER BY created_at")
    assert [(row["state"], row["is_over"]) for row in states] == [("interrupted", True), ("finished", True)]
    for late in (ledger.extend, ledger.finish):
        with pytest.raises(ReconciliationLost):
            late(dead, PassCounts(), *((60.0,) if late == ledger.extend else (ReconciliationState.FINISHED, "")))


def test_a_pass_that_was_taken_over_stops_where_it_is(bench: Bench) -> None:
    bench.ingest({"a.py": BEFORE})
    bench.finish()
    bench.index.drop()
    context = reconcile_context(bench)
    after = bench.index.after

    def lose() -> None:
        bench.rows("UPDATE reconciliations SET lease_until = now() - interval '1 s'")
        assert context.ledger.begin(None, is_repair=True, lease_seconds=60.0) is not None

    after["upsert"] = lose
    report = reconcile(context, None, is_repair=True)
    assert report is not None
    assert report.state is ReconciliationState.INTERRUPTED
    assert len(bench.index.points) == 2, "one batch"


def test_a_process_that_is_told_to_end_leaves_the_way_free(bench: Bench) -> None:
    bench.ingest({"a.py": BEFORE})
    bench.finish()
    bench.index.drop()

    def end() -> None:
        raise SystemExit(130)

    bench.index.after["upsert"] = end
    with pytest.raises(SystemExit):
        mend(bench)
    assert bench.one("SELECT state FROM reconciliations") == "interrupted"
    assert mend(bench).counts.left == 0


# --- what is kept


def test_drifts_of_old_passes_are_forgotten_and_their_counts_kept(bench: Bench) -> None:
    ledger = PostgresReconciliation(bench.engine)
    for _ in range(KEPT_PASSES + 5):
        held = ledger.begin(None, is_repair=False, lease_seconds=60.0)
        assert held is not None
        ledger.save_drifts(held, [Drift(1, None, DriftKind.ORPHAN)])
        ledger.finish(held, PassCounts(orphan=1), ReconciliationState.FINISHED, "")
    assert bench.one("SELECT count(*) FROM drifts") == KEPT_PASSES
    assert bench.one("SELECT sum(orphan) FROM reconciliations") == KEPT_PASSES + 5


def test_passes_are_listed_newest_first_for_those_whom_they_concern(bench: Bench) -> None:
    other = bench.sources.resolve("stranger", "project", "source", "/other")
    plant_orphans(bench, 3)
    whole, mine, theirs = look(bench), mend(bench, bench.source.scope), look(bench, other.scope)
    with bench.engine.connect() as connection:
        lines = read_reconciliations(connection, "tenant", limit=9)
        first = read_reconciliations(connection, "tenant", limit=1)
        after = (lines[0].started_at, lines[0].reconciliation_id)
        second = read_reconciliations(connection, "tenant", limit=9, after=after)
        strangers = read_reconciliations(connection, "stranger", limit=9)
    assert [line.reconciliation_id for line in lines] == [mine.reconciliation_id, whole.reconciliation_id]
    assert [(line.project, line.is_repair, line.orphan, line.repaired) for line in lines] == [
        ("project", True, 3, 3),
        (None, False, 3, 0),
    ]
    assert all(line.state is ReconciliationState.FINISHED and line.finished_at and line.seconds >= 0 for line in lines)
    assert (first, second) == (lines[:1], lines[1:])
    assert strangers[0].reconciliation_id == theirs.reconciliation_id
