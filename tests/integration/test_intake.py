"""What a producer plans is accepted with its generations, in one piece, by one producer at a time."""

from __future__ import annotations

import gc
import threading

import psycopg
import pytest
from harness.bench import SUMMARY, Bench

from pipeline.errors import ServiceUnavailable
from pipeline.identity import document_id, revision_of
from pipeline.intake import AcceptedDeletion, BrokenDocument, PlanSummary, PlanTakenOver, SourceBusy
from pipeline.plan import KnownDocument
from pipeline.types import Priority

VERSIONS = "versions-1"


def known(bench: Bench, versions: str = VERSIONS) -> dict[str, KnownDocument]:
    return {document.path: document for document in bench.intake.known_documents(bench.source, versions)}


# --- generations


def test_a_generation_grows_by_one_with_every_revision_even_with_one_that_was_there_before(bench: Bench) -> None:
    for generation, content in enumerate(["A", "B", "A"], start=1):
        bench.ingest({"a.txt": content})
        assert bench.rows("SELECT generation, revision, state FROM documents") == [
            {"generation": generation, "revision": revision_of(content.encode()), "state": "pending"}
        ]
    assert bench.one("SELECT count(*) FROM blobs") == 2
    assert [row["generation"] for row in bench.rows("SELECT generation FROM run_documents ORDER BY 1")] == [1, 2, 3]


def test_each_document_has_its_own_generations(bench: Bench) -> None:
    bench.ingest({"a.txt": "1", "b.txt": "1"})
    bench.ingest({"a.txt": "2"})
    assert {path: document.generation for path, document in known(bench).items()} == {"a.txt": 2, "b.txt": 1}


def test_equal_files_share_their_bytes(bench: Bench) -> None:
    bench.ingest({"a.txt": "same", "b.txt": "same"})
    bench.ingest({"c.txt": "same"})
    assert bench.one("SELECT count(*) FROM blobs") == 1


def test_slices_carry_the_priority_and_the_documents_of_their_run(bench: Bench) -> None:
    run = bench.ingest({"a.txt": "a", "b.txt": "b"}, {"c.txt": "c"}, priority=Priority.HIGH)
    rows = bench.rows(
        "SELECT s.priority, s.run_id, (SELECT count(*) FROM run_documents WHERE slice_id = s.id) AS n FROM slices s"
    )
    assert {(row["priority"], row["run_id"]) for row in rows} == {(0, run.id)}
    assert sorted(row["n"] for row in rows) == [1, 2]


def test_what_is_new_and_what_changed_is_told_apart(bench: Bench) -> None:
    bench.ingest({"a.txt": "a"})
    run = bench.ingest({"a.txt": "other", "b.txt": "b"})
    rows = bench.rows(
        "SELECT path, is_new FROM run_documents JOIN documents ON id = document_id WHERE run_id = :run", run=run.id
    )
    assert {row["path"]: row["is_new"] for row in rows} == {"a.txt": False, "b.txt": True}


def test_a_slice_is_accepted_in_one_piece_or_not_at_all(bench: Bench) -> None:
    document = bench.accepted(bench.source, "a.txt", "text")
    with bench.plan() as run:
        with pytest.raises(Exception, match="cannot affect row a second time"):
            bench.intake.accept(run, [document, document])
        bench.intake.accept(run, [document])
    assert [len(bench.table(name)) for name in ("blobs", "documents", "slices")] == [1, 1, 1]


# --- deletions


def test_a_deletion_is_a_generation_of_its_own_and_makes_the_document_unknown(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    bench.delete("a.txt")
    assert bench.rows("SELECT state, generation, revision FROM documents") == [
        {"state": "deleting", "generation": 2, "revision": None}
    ]
    assert bench.one("SELECT stage FROM slices ORDER BY created_at DESC LIMIT 1") == "upsert"
    assert known(bench) == {}


def test_a_document_that_moved_on_since_the_plan_saw_it_is_not_deleted(bench: Bench) -> None:
    bench.ingest({"a.txt": "1", "b.txt": "1"})
    seen = [AcceptedDeletion(bench.document(path), 1) for path in ("a.txt", "b.txt")]
    bench.ingest({"a.txt": "2"})
    with bench.plan() as run:
        bench.intake.accept_deletions(run, seen)
    assert {row["path"]: row["state"] for row in bench.rows("SELECT path, state FROM documents")} == {
        "a.txt": "pending",
        "b.txt": "deleting",
    }
    rows = bench.rows("SELECT document_id FROM run_documents WHERE run_id = :run", run=run.id)
    assert [row["document_id"] for row in rows] == [bench.document("b.txt")]


def test_deletions_of_which_none_is_left_make_no_slice(bench: Bench) -> None:
    bench.ingest({"a.txt": "1"})
    seen = [AcceptedDeletion(bench.document("a.txt"), 1)]
    bench.delete("a.txt")
    slices = bench.one("SELECT count(*) FROM slices")
    with bench.plan() as run:
        bench.intake.accept_deletions(run, seen)
    assert bench.one("SELECT count(*) FROM slices") == slices


def test_a_deleted_document_that_comes_back_goes_on_counting(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    bench.finish()
    bench.delete("a.txt")
    bench.finish()
    assert bench.one("SELECT deleted_at IS NOT NULL AND state = 'deleted' FROM documents")
    bench.ingest({"a.txt": "text"})
    assert bench.rows("SELECT state, generation, deleted_at FROM documents") == [
        {"state": "pending", "generation": 3, "deleted_at": None}
    ]


# --- broken files


def test_a_broken_file_fails_in_its_run_and_leaves_what_is_indexed(bench: Bench) -> None:
    bench.ingest({"old.txt": "text"})
    bench.finish()
    before = bench.rows("SELECT * FROM documents")
    with bench.plan() as run:
        broken = [
            BrokenDocument("new.txt", "Unreadable", "no permission", is_new=True),
            BrokenDocument("old.txt", "Unreadable", "no permission", is_new=False),
        ]
        bench.intake.record_broken(run, broken)
    assert bench.rows("SELECT * FROM documents WHERE path = 'old.txt'") == before
    assert bench.rows("SELECT state, generation, error, message FROM documents WHERE path = 'new.txt'") == [
        {"state": "failed", "generation": 0, "error": "Unreadable", "message": "no permission"}
    ]
    rows = bench.rows("SELECT outcome, error, is_new, slice_id FROM run_documents WHERE run_id = :run", run=run.id)
    assert sorted(row["is_new"] for row in rows) == [False, True]
    assert {(row["outcome"], row["error"], row["slice_id"]) for row in rows} == {("failed", "Unreadable", None)}


def test_a_broken_file_that_is_mended_starts_at_its_first_generation(bench: Bench) -> None:
    with bench.plan() as run:
        bench.intake.record_broken(run, [BrokenDocument("a.txt", "Unreadable", "no permission", is_new=True)])
    assert not known(bench)["a.txt"].is_current
    bench.ingest({"a.txt": "text"})
    bench.finish()
    assert bench.rows("SELECT state, generation, error, message FROM documents") == [
        {"state": "indexed", "generation": 1, "error": "", "message": ""}
    ]


@pytest.mark.parametrize("message", ["a NUL \0 in it", "half a pair \ud83d of surrogates"])
def test_whatever_is_said_about_a_broken_file_is_stored(bench: Bench, message: str) -> None:
    with bench.plan() as run:
        bench.intake.record_broken(run, [BrokenDocument("a.txt", "Unreadable", message, is_new=True)])
    assert bench.one("SELECT message FROM documents")[:5] == message[:5]
    assert bench.one("SELECT message FROM run_documents")[:5] == message[:5]


# --- file status


def test_a_file_status_is_remembered_for_the_generation_it_was_seen_at(bench: Bench) -> None:
    bench.ingest({"a.txt": "1", "b.txt": "1"})
    bench.ingest({"b.txt": "2"})
    ids = [bench.document(path) for path in ("a.txt", "b.txt")]
    bench.intake.refresh_stats([(document, 1, "1:2:3:4:5") for document in ids])
    assert {path: document.stat for path, document in known(bench).items()} == {"a.txt": "1:2:3:4:5", "b.txt": None}


# --- known documents


def test_known_documents_come_in_the_order_that_python_sorts_their_paths(bench: Bench) -> None:
    paths = ["a/b", "a.b", "a-b", "a", "ab", "A", "Z", "_", "a b", "a\nb", "a\tb", "a\x7fb", "ä", "é", "e\u0301", "ß"]
    paths += [
        "\ud7ff",
        "\ue000",
        "\uffff",
        "\U00010000",
        "🦀.py",
        "🦀/a",
        "日本",
        "z" * 4_000,
        "z" * 3_999,
        "%",
        "\\",
        "'",
    ]
    bench.ingest(dict.fromkeys(paths, "text"))
    assert [document.path for document in bench.intake.known_documents(bench.source, VERSIONS)] == sorted(paths)


def test_known_documents_are_those_of_one_source(bench: Bench) -> None:
    other = bench.sources.resolve("tenant", "project", "other", "/other")
    bench.ingest({"a.txt": "text"})
    bench.ingest({"a.txt": "text", "b.txt": "text"}, source=other)
    assert list(known(bench)) == ["a.txt"]
    assert document_id(other.id, "a.txt") != bench.document("a.txt")


def test_a_document_is_current_once_it_is_indexed_by_the_present_versions(bench: Bench) -> None:
    bench.ingest({"a.txt": "text"})
    assert not known(bench)["a.txt"].is_current
    bench.finish()
    assert known(bench)["a.txt"].is_current
    assert not known(bench, "versions-2")["a.txt"].is_current
    bench.ingest({"a.txt": "newer"})
    assert not known(bench)["a.txt"].is_current


def test_more_documents_than_one_fetch_come_complete_and_as_they_were_at_the_first(bench: Bench) -> None:
    bench.ingest(*({f"{batch}/{number}": "x" for number in range(500)} for batch in range(5)))
    documents = bench.intake.known_documents(bench.source, VERSIONS)
    first = next(documents)
    bench.ingest({"zzz": "x"})
    assert [first.path, *(document.path for document in documents)] == sorted(
        f"{batch}/{number}" for batch in range(5) for number in range(500)
    )


# --- one producer at a time


def test_a_second_producer_waits_for_the_first(bench: Bench) -> None:
    waiting, done = threading.Event(), threading.Event()

    def second() -> None:
        with bench.intake.planning(bench.source, Priority.NORMAL, patience=60.0, on_wait=waiting.set) as run:
            bench.intake.close(run, SUMMARY)
            done.set()

    with bench.plan():
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(30)
        assert bench.one("SELECT count(*) FROM runs") == 1, "its run does not exist before it may plan"
        assert not done.is_set()
    thread.join()
    assert done.is_set()
    assert bench.rows("SELECT DISTINCT plan_state FROM runs") == [{"plan_state": "planned"}]


def test_a_producer_without_patience_is_told_who_is_in_the_way(bench: Bench) -> None:
    waited: list[bool] = []
    second = bench.intake.planning(bench.source, Priority.NORMAL, patience=0.0, on_wait=lambda: waited.append(True))
    with bench.plan(), pytest.raises(SourceBusy, match="mobius runs"), second:
        pytest.fail("two producers plan one source")
    assert bench.one("SELECT count(*) FROM runs") == 1
    assert len(waited) <= 1


def test_producers_of_different_sources_do_not_wait(bench: Bench) -> None:
    other = bench.sources.resolve("tenant", "project", "other", "/other")
    with bench.plan(), bench.plan(other):
        assert bench.one("SELECT count(*) FROM runs WHERE plan_state = 'planning'") == 2


def test_a_producer_that_fails_lets_the_next_one_plan_and_its_run_is_interrupted(bench: Bench) -> None:
    with pytest.raises(KeyError), bench.plan():
        raise KeyError("the walk failed")
    run = bench.ingest({"a.txt": "text"})
    states = {row["id"]: row["plan_state"] for row in bench.rows("SELECT id, plan_state FROM runs")}
    assert states.pop(run.id) == "planned"
    assert list(states.values()) == ["interrupted"]


def test_the_lock_of_a_dead_producer_dies_with_its_connections(bench: Bench) -> None:
    with pytest.raises(ServiceUnavailable, match="Postgres does not answer"), bench.plan():
        die_with_all_connections(bench)
    assert bench.ledger.sweep(60.0).interrupted_plans == 1
    bench.ingest({"a.txt": "text"})


# psycopg warns about a cursor that SQLAlchemy does not close because its connection is gone.
@pytest.mark.filterwarnings("ignore:.*ServerCursor:pytest.PytestUnraisableExceptionWarning")
def test_a_restart_of_postgres_under_the_list_of_known_documents_is_named(bench: Bench) -> None:
    bench.ingest(*({f"{batch}/{number}": "x" for number in range(1_000)} for batch in range(3)))
    documents = bench.intake.known_documents(bench.source, VERSIONS)
    next(documents)
    kill_other_connections(bench)
    with pytest.raises(ServiceUnavailable, match="Postgres does not answer"):
        list(documents)
    gc.collect()


def die_with_all_connections(bench: Bench) -> None:
    kill_other_connections(bench)
    raise KeyboardInterrupt


def kill_other_connections(bench: Bench) -> None:
    """Do what a restart of the server does to everybody who is connected."""
    url = bench.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


# --- the end of a plan


def test_the_summary_of_a_plan_is_kept(bench: Bench) -> None:
    with bench.plan(priority=Priority.LOW, summary=PlanSummary(7, 3, {"secret": 2}, 4, "ask", is_complete=False)):
        pass
    (row,) = bench.rows("SELECT * FROM runs")
    assert (row["seen"], row["unchanged"], row["skipped"]) == (7, 3, {"secret": 2})
    assert (row["withheld"], row["message"], row["is_complete"]) == (4, "ask", False)
    assert (row["plan_state"], row["priority"]) == ("planned", 2)


def test_an_interrupted_plan_is_not_closed_afterwards(bench: Bench) -> None:
    with bench.intake.planning(bench.source, Priority.LOW, patience=0.0, on_wait=lambda: None) as run:
        bench.rows("UPDATE runs SET plan_state = 'interrupted'")
        with pytest.raises(PlanTakenOver):
            bench.intake.close(run, SUMMARY)
    assert bench.one("SELECT plan_state FROM runs") == "interrupted"


def plan_while_the_lock_is_lost(bench: Bench) -> None:
    with bench.plan() as slow:
        bench.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with bench.plan() as quick:
            bench.intake.accept(quick, [bench.accepted(quick.source, "a.py", "newer")])
        older = bench.accepted(slow.source, "a.py", "older")
        for act in (
            lambda: bench.intake.accept(slow, [older]),
            lambda: bench.intake.join(slow, [older]),
            lambda: bench.intake.accept_deletions(slow, [AcceptedDeletion(bench.document("a.py"), 1)]),
        ):
            with pytest.raises(PlanTakenOver):
                act()


def test_a_producer_whose_lock_was_lost_accepts_nothing_once_another_plans(bench: Bench) -> None:
    with pytest.raises(ServiceUnavailable):
        plan_while_the_lock_is_lost(bench)
    assert bench.generation(bench.document("a.py")) == 1
    states = [row["plan_state"] for row in bench.rows("SELECT plan_state FROM runs ORDER BY created_at")]
    assert states == ["interrupted", "planned"]
