"""What operators are told is what the ledger says: counts, progress, lists, and where one file is."""

from __future__ import annotations

from uuid import uuid4

import pytest
from harness.bench import Bench
from harness.revisions import functions

from models.views import LISTED_ERRORS, Views
from pipeline.identity import document_id
from pipeline.intake import BrokenDocument, OpenRun, PlanSummary
from pipeline.report import (
    ChunkCounts,
    DocumentCounts,
    DocumentError,
    EmbeddingCounts,
    PointCounts,
    RunReport,
    SkipCount,
    Whereabouts,
)
from pipeline.states import RunState
from pipeline.types import Stage, Token

MODEL = "testing/recording/8"


@pytest.fixture
def views(bench: Bench) -> Views:
    return Views(bench.engine)


def report(views: Views, run: OpenRun) -> RunReport:
    found = views.report("tenant", run.id, MODEL)
    assert found is not None
    return found


def progress(views: Views, run: OpenRun) -> tuple[RunState, int, int, dict[str, int]]:
    found = views.progress(run.id)
    assert found is not None
    return found.state, found.pending, found.finished, {stage: n for stage, n in found.by_stage.items() if n}


def whereabouts(bench: Bench, views: Views, path: str) -> Whereabouts:
    (found,) = views.whereabouts(bench.source.scope, [bench.document(path)])
    return found


# --- reports


def test_a_report_counts_documents_chunks_points_and_purchases(bench: Bench, views: Views) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    bench.embedder.refused.add("refused")
    summary = PlanSummary(9, 2, {"secret": 3, "binary": 1}, 0, "", is_complete=True)
    with bench.plan(summary=summary) as run:
        bench.accept(run, {"a.py": functions("zero", "one", "two"), "b.py": functions("four")})
        bench.accept(run, {"c.py": functions("refused")})
        bench.intake.record_broken(run, [BrokenDocument("d.py", "Unreadable", "no permission", is_new=True)])
    bench.finish()
    found = report(views, run)
    assert (found.project, found.source, found.state, found.message) == ("project", "source", RunState.FAILED, "")
    assert found.documents == DocumentCounts(
        seen=9, new=3, changed=1, unchanged=2, skipped=4, deleted=0, superseded=0, indexed=2, failed=2
    )
    assert found.chunks == ChunkCounts(total=5, embedded=2, reused=3)
    assert found.points == PointCounts(written=2, updated=2, deleted=0)
    assert found.embedding == EmbeddingCounts(MODEL, 1, 2, found.embedding.tokens)
    assert found.embedding.tokens > 0
    assert found.errors == (
        DocumentError("c.py", "InputRejected", found.errors[0].message),
        DocumentError("d.py", "Unreadable", "no permission"),
    )
    assert found.skipped == (SkipCount("binary", 1), SkipCount("secret", 3))
    assert found.seconds >= 0


def test_a_report_tells_deleted_and_superseded_documents(bench: Bench, views: Views) -> None:
    bench.ingest({"a.py": functions("one"), "b.py": functions("two", "three")})
    bench.finish()
    deletion = bench.delete("b.py")
    overtaken = bench.ingest({"a.py": functions("four")})
    bench.ingest({"a.py": functions("five")})
    bench.finish()
    assert (report(views, deletion).documents.deleted, report(views, deletion).points.deleted) == (1, 2)
    assert report(views, deletion).state is RunState.SUCCEEDED
    assert report(views, overtaken).documents.superseded == 1
    assert report(views, overtaken).state is RunState.SUCCEEDED


def test_a_report_lists_so_many_errors_and_counts_all(bench: Bench, views: Views) -> None:
    with bench.plan() as run:
        broken = [BrokenDocument(f"{number:04}", "Unreadable", "m", is_new=True) for number in range(130)]
        bench.intake.record_broken(run, broken)
    found = report(views, run)
    assert found.documents.failed == 130
    assert [error.path for error in found.errors] == [f"{number:04}" for number in range(LISTED_ERRORS)]


def test_a_run_of_another_tenant_is_no_run(bench: Bench, views: Views) -> None:
    run = bench.ingest({"a.py": functions("one")})
    assert views.report("somebody else", run.id, MODEL) is None
    assert views.report("tenant", uuid4(), MODEL) is None


def test_a_run_over_nothing_succeeds_and_one_whose_deletions_wait_is_incomplete(bench: Bench, views: Views) -> None:
    with bench.plan() as run:
        pass
    assert report(views, run).state is RunState.SUCCEEDED
    with bench.plan(summary=PlanSummary(0, 0, {}, 5, "5 of 5 documents were not found", is_complete=True)) as run:
        pass
    assert report(views, run).state is RunState.INCOMPLETE
    assert report(views, run).message == "5 of 5 documents were not found"


# --- progress


def test_progress_follows_the_documents_through_the_stages(bench: Bench, views: Views) -> None:
    assert views.progress(uuid4()) is None
    with bench.plan() as run:
        assert progress(views, run) == (RunState.PLANNING, 0, 0, {})
    run = bench.ingest({"a.py": functions("one"), "b.py": functions("two")}, {"c.py": functions("three")})
    pair, single = sorted(bench.ledger.take_ready(100, oldest_first=True), key=lambda token: -size(bench, token))
    assert progress(views, run) == (RunState.RUNNING, 3, 0, {"parse": 3})
    claim = bench.claim_at(Stage.EMBED, pair)
    assert progress(views, run) == (RunState.RUNNING, 3, 0, {"parse": 1, "embed": 2})
    bench.work(bench.claim_at(Stage.UPSERT, single))
    assert progress(views, run) == (RunState.RUNNING, 2, 1, {"embed": 2})
    bench.ledger.hand_back(claim, "RateLimited", "slow down", 0.0, forgive=True)
    trouble = views.progress(run.id)
    assert trouble is not None
    assert (trouble.error, trouble.message) == ("RateLimited", "slow down")
    bench.finish()
    assert progress(views, run) == (RunState.SUCCEEDED, 0, 3, {})
    done = views.progress(run.id)
    assert done is not None
    assert (done.error, done.message) == ("", "")


def size(bench: Bench, token: Token) -> int:
    return int(bench.one("SELECT count(*) FROM run_documents WHERE slice_id = :id", id=token.slice_id))


# --- lists


def test_runs_are_listed_newest_first_for_their_tenant_only(bench: Bench, views: Views) -> None:
    stranger = bench.sources.resolve("stranger", "project", "source", "/root")
    first = bench.ingest({"a.py": functions("one")})
    bench.ingest({"a.py": functions("one")}, source=stranger)
    bench.finish()
    second = bench.ingest({"b.py": functions("two")}, {"c.py": functions("three")})
    lines = views.runs("tenant")
    assert [line.run_id for line in lines] == [second.id, first.id]
    assert [(line.state, line.documents, line.failed) for line in lines] == [
        (RunState.RUNNING, 2, 0),
        (RunState.SUCCEEDED, 1, 0),
    ]
    assert [line.run_id for line in views.runs("tenant", limit=1)] == [second.id]
    assert views.runs("nobody") == []


# --- where one file is


def test_what_a_file_was_read_as_is_told(bench: Bench, views: Views) -> None:
    bench.ingest({"vendor/test_a.py": "# “größe”\r\n".encode("cp1252")})
    found = whereabouts(bench, views, "vendor/test_a.py")
    assert (found.language, found.encoding, found.newlines) == ("python", "", "crlf")
    bench.finish()
    found = whereabouts(bench, views, "vendor/test_a.py")
    assert (found.encoding, found.newlines, found.traits) == ("cp1252", "crlf", ("test", "vendored"))


def test_a_file_is_followed_until_it_is_indexed(bench: Bench, views: Views) -> None:
    run = bench.ingest({"a.py": functions("one", "two")})
    found = whereabouts(bench, views, "a.py")
    assert (found.path, found.project, found.source) == ("a.py", "project", "source")
    assert (found.state, found.stage, found.slice_state) == ("pending", "parse", "ready")
    assert found.next_action == "the dispatcher sends it as soon as the workers have room for it"
    token = bench.take()
    assert "sent again" in whereabouts(bench, views, "a.py").next_action
    bench.claim_at(Stage.EMBED, token)
    found = whereabouts(bench, views, "a.py")
    assert (found.stage, found.slice_state, found.attempts, found.holder) == ("embed", "running", 1, "host:1")
    assert (found.run_id, found.slice_id) == (run.id, token.slice_id)
    assert "taken over" in found.next_action


def test_a_file_that_is_indexed_needs_nothing(bench: Bench, views: Views) -> None:
    bench.ingest({"a.py": functions("one", "two")})
    bench.finish()
    found = whereabouts(bench, views, "a.py")
    assert (found.state, found.generation, found.indexed_generation, found.chunks) == ("indexed", 1, 1, 2)
    assert (found.stage, found.slice_state, found.attempts, found.holder) == ("", "", 0, "")
    assert (found.error, found.message, found.next_action) == ("", "", "none")


def test_a_file_that_waits_says_until_when_and_why(bench: Bench, views: Views) -> None:
    bench.ingest({"a.py": functions("one")})
    bench.ledger.hand_back(bench.claim(), "RateLimited", "slow down", 3600.0, forgive=True)
    found = whereabouts(bench, views, "a.py")
    assert (found.error, found.message) == ("RateLimited", "slow down")
    assert found.next_action.startswith("it is tried again after 20")


def test_a_file_that_failed_says_why_and_what_to_do(bench: Bench, views: Views) -> None:
    bench.ingest({"a.py": functions("one")})
    bench.finish()
    with bench.plan() as run:
        bench.intake.record_broken(run, [BrokenDocument("a.py", "Unreadable", "no permission", is_new=False)])
    found = whereabouts(bench, views, "a.py")
    assert (found.error, found.message, found.chunks) == ("Unreadable", "no permission", 1)
    bench.embedder.refused.add("refused")
    bench.ingest({"b.py": functions("refused")})
    bench.finish()
    found = whereabouts(bench, views, "b.py")
    assert (found.state, found.error) == ("failed", "InputRejected")
    assert "ingest it again" in found.next_action


def test_files_of_other_projects_are_nowhere(bench: Bench, views: Views) -> None:
    other = bench.sources.resolve("tenant", "other", "source", "/root")
    bench.ingest({"a.py": functions("one")}, source=other)
    ids = [document_id(other.id, "a.py"), uuid4()]
    assert views.whereabouts(bench.source.scope, ids) == []
    assert len(views.whereabouts(other.scope, ids)) == 1
