"""Each stage is handed what the one before left for the newest revisions, and absent never reads as empty."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness.revisions import functions
from harness.steps import Steps, following

from pipeline.identity import revision_of
from pipeline.types import Action, Claim, DocumentRef, Failure, Stage
from pipeline.work import ChunksMade, OutlineMade

TEXT = functions("one", "two")


def refs(bench: Steps) -> list[DocumentRef]:
    """Return all documents at their newest generation, in the order the stages get them."""
    rows = sorted(bench.documents(), key=lambda row: row.id)
    return [DocumentRef(row.id, row.path, row.language, row.generation, row.revision) for row in rows]


def outline(document: DocumentRef, packed: bytes = b"packed") -> OutlineMade:
    return OutlineMade(document.revision or b"", document.language, 1, packed)


def to_chunk(bench: Steps, claim: Claim, version: int, *outlines: OutlineMade) -> Claim:
    bench.ledger.commit_outlines(claim, version, outlines, [])
    return bench.claim(following(claim.token))


# --- parse


def test_parse_gets_every_document_of_its_slice_with_its_bytes(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT, "b.txt": b"\xff\x00raw"}, {"c.py": "other"})
    (token,) = [each for each in bench.ledger.take_ready(8, oldest_first=True) if len(bench.paths_of(each)) == 2]
    work = bench.ledger.documents_to_parse(bench.claim(token), 1)
    assert [item.document for item in work] == [ref for ref in refs(bench) if ref.path != "c.py"]
    assert {item.document.path: item.data for item in work} == {"a.py": TEXT.encode(), "b.txt": b"\xff\x00raw"}


def test_a_revision_that_has_an_outline_of_this_version_and_language_is_not_parsed_again(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    (first,) = refs(bench)
    to_chunk(bench, bench.claim(), 1, outline(first))
    bench.ingest({"b.py": TEXT, "b.js": TEXT, "c.py": "other"})
    claim = bench.claim()
    assert {item.document.path for item in bench.ledger.documents_to_parse(claim, 1)} == {"b.js", "c.py"}
    assert {item.document.path for item in bench.ledger.documents_to_parse(claim, 2)} == {"b.js", "b.py", "c.py"}


def test_the_first_outline_of_a_revision_stays(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    claim = bench.claim()
    (document,) = refs(bench)
    claim = to_chunk(bench, claim, 1, outline(document, b"first"), outline(document, b"second"))
    assert [item.outline for item in bench.ledger.documents_to_chunk(claim, 1)] == [b"first"]


# --- chunk


def test_an_outline_of_another_version_is_absent_and_the_document_is_chunked_all_the_same(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    (document,) = refs(bench)
    claim = to_chunk(bench, bench.claim(), 1, outline(document))
    (item,) = bench.ledger.documents_to_chunk(claim, 1)
    assert (item.document, item.data, item.outline) == (document, TEXT.encode(), b"packed")
    (item,) = bench.ledger.documents_to_chunk(claim, 2)
    assert item.outline is None


def test_a_chunk_set_reaches_embed_and_upsert_as_it_was_made(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT, "b.py": "other"})
    claim = bench.claim_at(Stage.CHUNK)
    first, second = refs(bench)
    made = [ChunksMade(first, 2, "latin-1", b"some"), ChunksMade(second, 0, "utf-8", b"")]
    bench.ledger.commit_chunk_sets(claim, made, [])
    assert bench.only_slice().chunks_total == 2
    claim = bench.claim(following(claim.token))
    work = bench.ledger.documents_to_embed(claim)
    assert [(item.document, item.encoding, item.packed) for item in work] == [
        (first, "latin-1", b"some"),
        (second, "utf-8", b""),
    ]
    assert work[0].data == bench_bytes(first)
    bench.ledger.commit_embedded(claim, [])
    upserts = bench.ledger.documents_to_upsert(bench.claim(following(claim.token)))
    assert [(item.document, item.packed) for item in upserts] == [(first, b"some"), (second, b"")]


def bench_bytes(document: DocumentRef) -> bytes:
    """Return the bytes of one of this module's documents."""
    return {revision_of(data): data for data in (TEXT.encode(), b"other")}[document.revision or b""]


def test_a_chunk_set_that_was_never_made_is_absent(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    claim = bench.claim_at(Stage.CHUNK)
    bench.ledger.commit_chunk_sets(claim, [], [])
    claim = bench.claim(following(claim.token))
    assert bench.ledger.documents_to_embed(claim) == []
    bench.ledger.commit_embedded(claim, [])
    (item,) = bench.ledger.documents_to_upsert(bench.claim(following(claim.token)))
    assert (item.packed, item.committed, item.is_superseded) == (None, (), False)


# --- failures


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.CHUNK, Stage.EMBED])
def test_a_failed_document_is_handed_to_no_later_stage_and_the_others_go_on(bench: Steps, stage: Stage) -> None:
    bench.ingest({"bad.py": TEXT, "good.py": functions("three")})
    claim = bench.claim_at(stage)
    failures = [Failure(bench.document("bad.py"), "MalformedDocument", "repair the file")]
    if stage is Stage.PARSE:
        bench.ledger.commit_outlines(claim, 1, [], failures)
    elif stage is Stage.CHUNK:
        made = [ChunksMade(ref, 0, "utf-8", b"") for ref in refs(bench) if ref.path == "good.py"]
        bench.ledger.commit_chunk_sets(claim, made, failures)
    else:
        bench.ledger.commit_embedded(claim, failures)
    claim = bench.claim(following(claim.token))
    handed_out = {
        Stage.CHUNK: lambda: bench.ledger.documents_to_chunk(claim, 1),
        Stage.EMBED: lambda: bench.ledger.documents_to_embed(claim),
        Stage.UPSERT: lambda: bench.ledger.documents_to_upsert(claim),
    }[claim.token.stage]()
    assert [item.document.path for item in handed_out] == ["good.py"]
    assert bench.states() == {"bad.py": ("failed", "failed"), "good.py": ("pending", "pending")}
    bad = bench.documents()[0]
    assert (bad.error, bad.message) == ("MalformedDocument", "repair the file")


def test_the_failure_of_an_overtaken_revision_is_none_of_the_newer_one(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    claim = bench.claim()
    bench.ingest({"a.py": "newer"})
    bench.ledger.commit_outlines(claim, 1, [], [Failure(bench.document("a.py"), "TooLarge", "")])
    assert bench.outcomes() == ["failed", "pending"]
    assert (bench.only_document().state.value, bench.only_document().error) == ("pending", "")


def test_a_failure_of_a_document_of_another_slice_is_not_recorded(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT}, {"b.py": TEXT})
    token = bench.ledger.take_ready(1, oldest_first=True)[0]
    bench.ledger.commit_outlines(bench.claim(token), 1, [], [Failure(row.id, "E", "") for row in bench.documents()])
    assert sorted(state for state, _ in bench.states().values()) == ["failed", "pending"]


# --- upsert


def test_upsert_learns_what_it_is_to_do_and_what_was_there_before(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT, "b.py": functions("three")})
    bench.finish()
    committed = {row.chunk.id for row in bench.standing()}
    bench.delete("b.py")
    claim = bench.claim_at(Stage.UPSERT)
    (item,) = bench.ledger.documents_to_upsert(claim)
    assert (item.document.path, item.document.generation, item.document.revision) == ("b.py", 2, None)
    assert (item.action, item.packed, item.is_superseded, item.follows_gap) == (Action.DELETE, None, False, False)
    assert {each.chunk.id for each in item.committed} < committed
    assert [each.chunk.name for each in item.committed] == ["three"]
    assert {(each.generation, each.is_retired) for each in item.committed} == {(1, False)}


def test_upsert_learns_that_it_was_overtaken_and_the_newer_one_that_it_follows_a_gap(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    old = bench.claim_at(Stage.UPSERT)
    bench.ingest({"a.py": functions("newer")})
    (item,) = bench.ledger.documents_to_upsert(old)
    assert (item.is_superseded, item.follows_gap, item.packed is None) == (True, False, False)
    (item,) = bench.ledger.documents_to_upsert(bench.claim_at(Stage.UPSERT))
    assert (item.is_superseded, item.follows_gap) == (False, True)


def test_a_retired_chunk_is_handed_out_until_its_deletion_is_verified(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    bench.finish()
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(Stage.UPSERT)
    (gone,) = [row for row in bench.standing() if row.chunk.name == "two"]
    bench.index.after["delete"] = _interrupt
    with pytest.raises(KeyError):
        bench.work(claim)
    (item,) = bench.ledger.documents_to_upsert(claim)
    assert {each.chunk.name: each.is_retired for each in item.committed} == {"one": False, "two": True}
    bench.ledger.finish_slice(claim, [gone.chunk.id, *(row.chunk.id for row in bench.standing())], [])
    assert [row.chunk.name for row in bench.chunks()] == ["one"], "what is not retired is not dropped"


def _interrupt() -> None:
    raise KeyError


@pytest.mark.parametrize("action", list(Action))
def test_nothing_is_said_to_be_done_that_was_not_committed(bench: Steps, action: Action) -> None:
    bench.ingest({"a.py": TEXT})
    bench.finish()
    if action is Action.DELETE:
        bench.delete("a.py")
    else:
        bench.ingest({"a.py": functions("newer")})
    bench.ledger.finish_slice(bench.claim_at(Stage.UPSERT), [], [])
    document = bench.only_document()
    assert document.state.value == ("deleting" if action is Action.DELETE else "pending")
    assert (document.generation, document.indexed_generation) == (2, 1)
    assert bench.outcomes() == ["indexed", "pending"]


def test_a_run_that_waits_for_a_slice_does_not_double_its_documents(bench: Steps) -> None:
    bench.ingest({"a.py": TEXT})
    claim = bench.claim()
    with bench.plan() as run:
        bench.intake.join(run, [replace(bench.accepted(run.source, "a.py", TEXT), is_in_flight=True)])
    assert len(bench.ledger.documents_to_parse(claim, 1)) == 1
    claim = to_chunk(bench, claim, 1)
    assert len(bench.ledger.documents_to_chunk(claim, 1)) == 1


def test_a_refused_document_is_failed_at_once_and_the_slice_goes_on_without_it(bench: Steps) -> None:
    bench.ingest({"good.txt": "one", "bad.txt": "two"})
    claim = bench.claim_at(Stage.EMBED)
    bench.ledger.record_rejected(claim, [Failure(bench.document("bad.txt"), "InputRejected", "refused")])
    assert [work.document.path for work in bench.ledger.documents_to_embed(claim)] == ["good.txt"]
    bench.ledger.hand_back(claim, "RateLimited", "", 0.0, forgive=True)
    again = bench.claim()
    assert [work.document.path for work in bench.ledger.documents_to_embed(again)] == ["good.txt"]
    bench.ledger.commit_embedded(again, [])
    claim = bench.claim(following(again.token))
    assert [item.document.path for item in bench.ledger.documents_to_upsert(claim)] == ["good.txt"]
