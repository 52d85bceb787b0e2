"""What a producer plans is accepted with its generations, in one piece, by one producer at a time."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from harness.steps import Steps

from pipeline.errors import storable
from pipeline.identity import document_id, revision_of
from pipeline.intake import AcceptedDeletion, AcceptedDocument, BrokenDocument, FreshStatus
from pipeline.parse.decode import Newlines
from pipeline.plan import KnownDocument
from pipeline.reading import Reading
from pipeline.states import DocumentState
from pipeline.traits import Trait
from pipeline.types import Failure, Priority, Stage

VERSIONS = "versions-1"


def known(bench: Steps, versions: str = VERSIONS) -> dict[str, KnownDocument]:
    return {document.path: document for document in bench.intake.known_documents(bench.source, versions)}


def fresh(document: UUID, *traits: Trait) -> FreshStatus:
    return FreshStatus(document, 1, "1:2:3:4:5", Reading(frozenset(traits), Newlines.LF))


# --- generations


def test_a_generation_grows_by_one_with_every_revision_even_with_one_that_was_there_before(bench: Steps) -> None:
    for generation, content in enumerate(["A", "B", "A"], start=1):
        bench.ingest({"a.txt": content})
        document = bench.only_document()
        assert (document.generation, document.revision) == (generation, revision_of(content.encode()))
        assert (document.state, document.size) == (DocumentState.PENDING, 1)
    assert bench.blobs() == {revision_of(b"A"), revision_of(b"B")}
    assert [row.generation for row in bench.run_documents()] == [1, 2, 3]


def test_each_document_has_its_own_generations(bench: Steps) -> None:
    bench.ingest({"a.txt": "1", "b.txt": "1"})
    bench.ingest({"a.txt": "2"})
    assert {path: document.generation for path, document in known(bench).items()} == {"a.txt": 2, "b.txt": 1}


def test_equal_files_share_their_bytes(bench: Steps) -> None:
    bench.ingest({"a.txt": "same", "b.txt": "same"})
    bench.ingest({"c.txt": "same"})
    assert bench.blobs() == {revision_of(b"same")}


def test_slices_carry_the_priority_and_the_documents_of_their_run(bench: Steps) -> None:
    run = bench.ingest({"a.txt": "a", "b.txt": "b"}, {"c.txt": "c"}, priority=Priority.HIGH)
    assert {(row.priority, row.run_id, row.stage) for row in bench.slices()} == {(Priority.HIGH, run.id, Stage.PARSE)}
    owners = [row.slice_id for row in bench.run_documents()]
    assert sorted(owners.count(row.id) for row in bench.slices()) == [1, 2]


def test_what_is_new_and_what_changed_is_told_apart(bench: Steps) -> None:
    bench.ingest({"a.txt": "a"})
    run = bench.ingest({"a.txt": "other", "b.txt": "b"})
    is_new = {row.document_id: row.is_new for row in bench.run_documents() if row.run_id == run.id}
    assert is_new == {bench.document("a.txt"): False, bench.document("b.txt"): True}


def test_a_slice_is_accepted_in_one_piece_or_not_at_all(bench: Steps) -> None:
    document = bench.accepted(bench.source, "a.txt", "text")
    with bench.plan() as run:
        before = bench.snapshot()
        with pytest.raises(Exception, match=r"a second time|every path once"):
            bench.intake.accept(run, [document, document])
        assert bench.snapshot() == before
        bench.intake.accept(run, [document])
    assert (len(bench.blobs()), len(bench.documents()), len(bench.slices())) == (1, 1, 1)


def test_a_run_takes_each_document_on_once(bench: Steps) -> None:
    with bench.plan() as run:
        bench.accept(run, {"a.txt": "text"})
        before = bench.snapshot()
        with pytest.raises(Exception, match=r"pk_run_documents|every path once"):
            bench.accept(run, {"a.txt": "newer"})
        assert bench.snapshot() == before


def test_nothing_to_take_on_makes_no_slice(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    with bench.plan() as run:
        before = bench.snapshot()
        bench.intake.accept(run, [])
        bench.intake.accept_deletions(run, [])
        bench.intake.record_broken(run, [])
        bench.intake.refresh_stats([])
        assert bench.intake.join(run, []) == frozenset()
        assert bench.snapshot() == before


# --- deletions


def test_a_deletion_is_a_generation_of_its_own_and_makes_the_document_unknown(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.delete("a.txt")
    document = bench.only_document()
    assert (document.state, document.generation, document.revision) == (DocumentState.DELETING, 2, None)
    assert bench.slices()[-1].stage is Stage.UPSERT
    assert known(bench) == {}


def test_a_document_that_moved_on_since_the_plan_saw_it_is_not_deleted(bench: Steps) -> None:
    bench.ingest({"a.txt": "1", "b.txt": "1"})
    seen = [AcceptedDeletion(bench.document(path), 1) for path in ("a.txt", "b.txt")]
    bench.ingest({"a.txt": "2"})
    with bench.plan() as run:
        bench.intake.accept_deletions(run, seen)
    assert [row.state for row in bench.documents()] == [DocumentState.PENDING, DocumentState.DELETING]
    deleted = [row.document_id for row in bench.run_documents() if row.run_id == run.id]
    assert deleted == [bench.document("b.txt")]


def test_deletions_of_which_none_is_left_make_no_slice(bench: Steps) -> None:
    bench.ingest({"a.txt": "1"})
    seen = [AcceptedDeletion(bench.document("a.txt"), 1)]
    bench.delete("a.txt")
    slices = bench.slices()
    with bench.plan() as run:
        bench.intake.accept_deletions(run, seen)
    assert bench.slices() == slices


def test_a_deleted_document_that_comes_back_goes_on_counting(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    bench.finish()
    bench.delete("a.txt")
    bench.finish()
    assert bench.only_document().state is DocumentState.DELETED
    assert bench.only_document().deleted_at is not None
    bench.ingest({"a.txt": "text"})
    document = bench.only_document()
    assert (document.state, document.generation, document.deleted_at) == (DocumentState.PENDING, 3, None)


# --- broken files


def test_a_broken_file_fails_in_its_run_and_leaves_what_is_indexed(bench: Steps) -> None:
    bench.ingest({"old.txt": "text"})
    bench.finish()
    before = bench.only_document()
    with bench.plan() as run:
        broken = [
            BrokenDocument("new.txt", "Unreadable", "no permission", is_new=True),
            BrokenDocument("old.txt", "Unreadable", "no permission", is_new=False),
        ]
        bench.intake.record_broken(run, broken)
    new, old = bench.documents()
    assert old == before
    assert (new.state, new.generation) == (DocumentState.FAILED, 0)
    assert (new.error, new.message) == ("Unreadable", "no permission")
    rows = [row for row in bench.run_documents() if row.run_id == run.id]
    assert sorted(row.is_new for row in rows) == [False, True]
    assert {(row.outcome.value, row.error, row.slice_id) for row in rows} == {("failed", "Unreadable", None)}


def test_a_broken_file_that_is_mended_starts_at_its_first_generation(bench: Steps) -> None:
    with bench.plan() as run:
        bench.intake.record_broken(run, [BrokenDocument("a.txt", "Unreadable", "no permission", is_new=True)])
    assert not known(bench)["a.txt"].is_current
    bench.ingest({"a.txt": "text"})
    bench.finish()
    document = bench.only_document()
    assert (document.state, document.generation) == (DocumentState.INDEXED, 1)
    assert (document.error, document.message) == ("", "")


@pytest.mark.parametrize("message", ["a NUL \0 in it", "half a pair \ud83d of surrogates"])
def test_whatever_is_said_about_a_broken_file_is_stored(bench: Steps, message: str) -> None:
    with bench.plan() as run:
        bench.intake.record_broken(run, [BrokenDocument("a.txt", "Unreadable", message, is_new=True)])
    (ended,) = bench.run_documents()
    assert bench.only_document().message == ended.message == storable(message)


# --- file status


def test_a_file_status_is_remembered_for_the_generation_it_was_seen_at(bench: Steps) -> None:
    bench.ingest({"a.txt": "1", "b.txt": "1"})
    bench.ingest({"b.txt": "2"})
    ids = [bench.document(path) for path in ("a.txt", "b.txt")]
    bench.intake.refresh_stats([fresh(document) for document in ids])
    assert {path: document.stat for path, document in known(bench).items()} == {"a.txt": "1:2:3:4:5", "b.txt": None}


def test_the_file_status_of_a_deleted_document_is_forgotten(bench: Steps) -> None:
    bench.ingest({"a.txt": "1"})
    bench.intake.refresh_stats([fresh(bench.document("a.txt"))])
    bench.delete("a.txt")
    assert bench.only_document().stat == ""


# --- traits


def test_what_kind_of_file_it_is_is_remembered_with_its_revision(bench: Steps) -> None:
    for number, traits in enumerate([frozenset(), frozenset({Trait.GENERATED, Trait.TEST})]):
        data = str(number).encode()
        with bench.plan() as run:
            document = AcceptedDocument("a.py", "python", data, revision_of(data), "", number == 0)
            bench.intake.accept(run, [replace(document, reading=Reading(traits))])
        assert known(bench)["a.py"].traits == traits


def test_what_reading_an_unchanged_file_showed_replaces_its_traits(bench: Steps) -> None:
    bench.ingest({"a.txt": "1"})
    document = bench.document("a.txt")
    bench.intake.refresh_stats([fresh(document, Trait.LOCK)])
    assert known(bench)["a.txt"].traits == {Trait.LOCK}
    bench.intake.refresh_stats([fresh(document)])
    assert known(bench)["a.txt"].traits == frozenset()


def test_a_file_that_could_never_be_read_has_no_known_traits(bench: Steps) -> None:
    with bench.plan() as run:
        bench.intake.record_broken(run, [BrokenDocument("a.txt", "Unreadable", "no", is_new=True)])
    assert known(bench)["a.txt"].traits is None


# --- known documents


def test_known_documents_come_in_the_order_that_python_sorts_their_paths(bench: Steps) -> None:
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


def test_known_documents_are_those_of_one_source(bench: Steps) -> None:
    other = bench.another_source("other")
    bench.ingest({"a.txt": "text"})
    bench.ingest({"a.txt": "text", "b.txt": "text"}, source=other)
    assert list(known(bench)) == ["a.txt"]
    assert document_id(other.id, "a.txt") != bench.document("a.txt")


def test_a_document_is_current_once_it_is_indexed_by_the_present_versions(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    assert not known(bench)["a.txt"].is_current
    bench.finish()
    assert known(bench)["a.txt"].is_current
    assert not known(bench, "versions-2")["a.txt"].is_current
    bench.ingest({"a.txt": "newer"})
    assert not known(bench)["a.txt"].is_current


def test_a_document_is_in_flight_from_its_acceptance_to_its_end(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    claim = bench.claim_at(Stage.EMBED)
    assert known(bench)["a.txt"].is_in_flight
    bench.ledger.commit_embedded(claim, [Failure(bench.document("a.txt"), "InputRejected", "")])
    assert not known(bench)["a.txt"].is_in_flight
    bench.ingest({"a.txt": "newer"})
    assert known(bench)["a.txt"].is_in_flight
    bench.finish()
    assert not known(bench)["a.txt"].is_in_flight


def test_a_new_revision_forgets_the_trouble_of_the_one_before(bench: Steps) -> None:
    bench.ingest({"a.txt": "text"})
    failure = Failure(bench.document("a.txt"), "InputRejected", "shorten the file")
    bench.ledger.commit_embedded(bench.claim_at(Stage.EMBED), [failure])
    assert bench.only_document().error == "InputRejected"
    bench.ingest({"a.txt": "shorter"})
    assert (bench.only_document().error, bench.only_document().message) == ("", "")


def test_more_documents_than_one_fetch_come_complete_and_as_they_were_at_the_first(bench: Steps) -> None:
    bench.ingest(*({f"{batch}/{number}": "x" for number in range(500)} for batch in range(5)))
    documents = bench.intake.known_documents(bench.source, VERSIONS)
    first = next(documents)
    bench.ingest({"zzz": "x"})
    assert [first.path, *(document.path for document in documents)] == sorted(
        f"{batch}/{number}" for batch in range(5) for number in range(500)
    )
