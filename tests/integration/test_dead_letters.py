"""What was given up on can be looked at, tried again and dropped, by its own tenant alone."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from harness.bench import Bench
from harness.stage_context import CRASHED

from models.dead_letters import DeadLetters
from models.views import Views
from pipeline.dead_letters import DeadLetterLine, UnknownDeadLetter
from pipeline.types import Stage


@pytest.fixture
def letters(bench: Bench) -> DeadLetters:
    return DeadLetters(bench.engine, "tenant")


def bury(bench: Bench, stage: Stage = Stage.PARSE) -> None:
    """Give up on the documents of the only slice that is ready."""
    claim = bench.claim_at(stage)
    bench.wear_out(claim.token.slice_id)
    bench.crash(claim)
    assert bench.ledger.sweep(60.0).given_up == 1


def only(letters: DeadLetters) -> DeadLetterLine:
    (line,) = letters.latest(limit=9)
    return line


def test_a_dead_letter_says_what_when_where_and_why(bench: Bench, letters: DeadLetters) -> None:
    assert letters.latest(limit=9) == []
    run = bench.ingest({"poison.txt": "text"})
    bury(bench, Stage.CHUNK)
    line = only(letters)
    assert (line.status, line.project, line.source, line.path) == ("open", "project", "source", "poison.txt")
    assert (line.document_id, line.run_id, line.generation) == (bench.document("poison.txt"), run.id, 1)
    assert (line.stage, line.attempts, line.worker) == ("chunk", 3, "host:1")
    assert (line.error, line.message, line.trace) == (CRASHED.error, CRASHED.message, CRASHED.trace)
    assert line.accepted_at <= line.given_up_at
    assert line.resolved_at is None
    assert letters.get([line.dead_letter_id]) == [line]


def test_why_names_the_dead_letter_until_somebody_took_care_of_it(bench: Bench, letters: DeadLetters) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench)
    letter = only(letters).dead_letter_id
    ids = [bench.document("poison.txt")]
    (where,) = Views(bench.engine).whereabouts(bench.source.scope, ids)
    assert where.dead_letter_id == letter
    assert f"mobius dead-letters show {letter}" in where.next_action
    letters.drop([letter])
    (where,) = Views(bench.engine).whereabouts(bench.source.scope, ids)
    assert (where.dead_letter_id, where.state) == (None, "failed")
    assert where.next_action == "none: repair the cause and ingest it again"


def test_a_retry_takes_the_document_through_all_stages_again_in_a_run_of_its_own(
    bench: Bench, letters: DeadLetters
) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench, Stage.EMBED)
    letter = only(letters).dead_letter_id
    ((run, count),) = letters.retry([letter]).items()
    assert count == 1
    assert letters.latest(limit=9) == []
    assert [line.status for line in letters.latest(limit=9, closed=True)] == ["retried"]
    token = bench.take()
    assert token.stage is Stage.PARSE
    bench.work(bench.claim_at(Stage.UPSERT, token))
    report = Views(bench.engine).report("tenant", run, "model")
    assert report is not None
    assert (report.state, report.documents.indexed) == ("succeeded", 1)
    document = bench.only_document()
    assert (document.state, document.generation, document.error) == ("indexed", 2, "")
    bench.assert_index_is_true()


def test_a_retried_document_that_fails_again_is_a_dead_letter_again(bench: Bench, letters: DeadLetters) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench)
    letters.retry([only(letters).dead_letter_id])
    bury(bench)
    assert (only(letters).generation, only(letters).status) == (2, "open")
    assert [line.status for line in letters.latest(limit=9, closed=True)] == ["open", "retried"]


def test_each_document_of_a_retry_travels_alone_and_each_source_has_its_run(bench: Bench, letters: DeadLetters) -> None:
    other = bench.another_source("other")
    for source, path in [(bench.source, "a.txt"), (bench.source, "b.txt"), (other, "c.txt")]:
        bench.ingest({path: "text"}, source=source)
        bury(bench)
    counts = letters.retry([line.dead_letter_id for line in letters.latest(limit=9)])
    assert sorted(counts.values()) == [1, 2]
    tokens = bench.ledger.take_ready(100, oldest_first=True)
    assert sorted(bench.paths_of(token) for token in tokens) == [["a.txt"], ["b.txt"], ["c.txt"]]


def test_a_deletion_is_retried_as_a_deletion(bench: Bench, letters: DeadLetters) -> None:
    bench.ingest({"a.txt": "text"})
    bench.finish()
    bench.delete("a.txt")
    bury(bench, Stage.UPSERT)
    letters.retry([only(letters).dead_letter_id])
    bench.finish()
    assert bench.only_document().state == "deleted"
    assert bench.committed() == {}
    bench.assert_index_is_true()


def test_retrying_twice_sends_it_once(bench: Bench, letters: DeadLetters) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench)
    letter = only(letters).dead_letter_id
    assert len(letters.retry([letter, letter])) == 1
    assert letters.retry([letter]) == {}
    assert len(bench.ledger.take_ready(100, oldest_first=True)) == 1


def test_a_newer_revision_overtakes_the_letter_and_is_not_sent_back(bench: Bench, letters: DeadLetters) -> None:
    bench.ingest({"a.txt": "poison"})
    bury(bench)
    letter = only(letters).dead_letter_id
    bench.ingest({"a.txt": "good"})
    assert letters.latest(limit=9) == []
    assert [line.status for line in letters.latest(limit=9, closed=True)] == ["overtaken"]
    assert letters.retry([letter]) == {}
    bench.finish()
    assert (bench.only_document().state, bench.only_document().generation) == ("indexed", 2)


def test_a_dropped_document_stays_failed_and_the_next_ingestion_takes_it_up(bench: Bench, letters: DeadLetters) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench)
    letter = only(letters).dead_letter_id
    assert letters.drop([letter]) == 1
    assert letters.drop([letter]) == 0
    assert letters.latest(limit=9) == []
    assert [line.status for line in letters.latest(limit=9, closed=True)] == ["dropped"]
    assert letters.retry([letter]) == {}
    (known,) = bench.intake.known_documents(bench.source, "versions-1")
    assert not known.is_current


@pytest.mark.parametrize("what", ["get", "retry", "drop"])
def test_nobody_gets_at_what_belongs_to_others(bench: Bench, letters: DeadLetters, what: str) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench)
    letter = only(letters).dead_letter_id
    before = bench.snapshot()
    strangers: list[tuple[DeadLetters, UUID]] = [
        (DeadLetters(bench.engine, "stranger"), letter),
        (DeadLetters(bench.engine, "tenant", "another project"), letter),
        (letters, uuid4()),
    ]
    for stranger, wanted in strangers:
        with pytest.raises(UnknownDeadLetter, match="mobius dead-letters list"):
            getattr(stranger, what)([wanted])
    assert bench.snapshot() == before
    assert DeadLetters(bench.engine, "stranger").latest(limit=9, closed=True) == []


def test_a_list_is_of_one_project_where_one_is_named(bench: Bench) -> None:
    bench.ingest({"poison.txt": "text"})
    bury(bench)
    assert len(DeadLetters(bench.engine, "tenant", "project").latest(limit=9)) == 1
    assert DeadLetters(bench.engine, "tenant", "another").latest(limit=9) == []
