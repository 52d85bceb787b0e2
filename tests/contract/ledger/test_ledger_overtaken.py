"""A revision that is overtaken at any moment leaves no trace, and never takes what a newer one stands on."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from harness.revisions import functions
from harness.steps import Steps

from pipeline.errors import ClaimLost, ServiceUnavailable
from pipeline.types import Claim, DocumentRef, Stage
from pipeline.upsert import ReadBackFailed
from tasks.indexing import bring_to_index

FIRST, NEWER = functions("one", "two", "gone"), functions("one", "two", "newer")


def names_in_index(bench: Steps) -> set[object]:
    return {point.payload["name"] for point in bench.index.points.values()}


def index_all(bench: Steps, content: str) -> None:
    bench.ingest({"a.py": content})
    bench.finish()


def lose(bench: Steps, claim: Claim) -> None:
    """Let the claim be taken over by the sweep."""
    bench.expire(claim)
    assert bench.ledger.sweep(60.0).expired == 1


def ref(bench: Steps) -> DocumentRef:
    row = bench.only_document()
    return DocumentRef(row.id, row.path, row.language, row.generation, row.revision)


# --- superseded


def test_a_revision_overtaken_before_it_is_loaded_writes_nothing(bench: Steps) -> None:
    bench.ingest({"a.py": FIRST})
    claim = bench.claim_at(Stage.UPSERT)
    bench.ingest({"a.py": NEWER})
    counts = bring_to_index(bench.context, claim)
    assert (counts["superseded"], counts["written"], bench.index.written) == (1, 0, [])
    bench.finish()
    assert bench.outcomes() == ["superseded", "indexed"]
    assert bench.names() == ["one", "two", "newer"]
    bench.assert_index_is_true()


@pytest.mark.parametrize("stage", [Stage.PARSE, Stage.CHUNK, Stage.EMBED])
def test_a_revision_overtaken_earlier_is_neither_chunked_nor_paid_for(bench: Steps, stage: Stage) -> None:
    bench.ingest({"a.py": FIRST})
    claim = bench.claim_at(stage)
    bench.ingest({"a.py": NEWER})
    newer = bench.take()
    bench.work(claim)
    bench.work(bench.claim_at(Stage.UPSERT, newer))
    bench.lose_messages()
    bench.ledger.sweep(60.0)
    bench.finish()
    assert bench.outcomes() == ["superseded", "indexed"]
    assert not any("gone" in text for text in bench.embedder.bought)
    bench.assert_index_is_true()


def test_a_revision_overtaken_between_write_and_commit_takes_its_points_back(bench: Steps) -> None:
    bench.ingest({"a.py": FIRST})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = lambda: bench.ingest({"a.py": NEWER})
    bring_to_index(bench.context, claim)
    assert len(bench.index.written) == 3
    assert bench.index.points == {}
    assert bench.committed() == {}
    bench.finish()
    assert bench.outcomes() == ["superseded", "indexed"]
    bench.assert_index_is_true()


def test_the_points_of_the_committed_revision_stay_when_a_later_one_is_overtaken(bench: Steps) -> None:
    index_all(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("one", "two", "gone")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = lambda: bench.ingest({"a.py": NEWER})
    bring_to_index(bench.context, claim)
    assert names_in_index(bench) == {"one", "two"}, "search goes on with the committed revision"
    bench.assert_index_is_true()
    bench.finish()
    assert bench.outcomes() == ["indexed", "superseded", "indexed"]
    bench.assert_index_is_true()


def test_a_revision_overtaken_between_commit_and_finish_ends_as_superseded(bench: Steps) -> None:
    index_all(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["delete"] = lambda: bench.ingest({"a.py": functions("one", "two", "newer")})
    bring_to_index(bench.context, claim)
    bench.finish()
    assert bench.outcomes() == ["indexed", "superseded", "indexed"]
    assert bench.names() == ["one", "two", "newer"]
    bench.assert_index_is_true()


def test_what_an_earlier_attempt_wrote_is_removed_when_the_next_finds_itself_overtaken(bench: Steps) -> None:
    bench.ingest({"a.py": FIRST})
    claim = bench.claim_at(Stage.UPSERT)

    def fail() -> None:
        raise ServiceUnavailable("Qdrant")

    bench.index.after["upsert"] = fail
    with pytest.raises(ServiceUnavailable):
        bring_to_index(bench.context, claim)
    bench.ledger.hand_back(claim, "ServiceUnavailable", "", 0.0, forgive=True)
    again = bench.claim()
    index_all(bench, NEWER)
    assert "gone" in names_in_index(bench), "the earlier attempt's point is still there"
    bring_to_index(bench.context, again)
    assert bench.outcomes() == ["superseded", "indexed"]
    bench.assert_index_is_true()


def test_a_deletion_overtaken_by_a_new_revision_deletes_nothing(bench: Steps) -> None:
    index_all(bench, functions("one", "two"))
    bench.delete("a.py")
    claim = bench.claim_at(Stage.UPSERT)
    bench.ingest({"a.py": functions("one", "two")})
    bring_to_index(bench.context, claim)
    assert names_in_index(bench) == {"one", "two"}
    bench.finish()
    assert bench.outcomes() == ["indexed", "superseded", "indexed"]
    bench.assert_index_is_true()


def test_revisions_that_arrive_in_the_wrong_order_end_with_the_newest(bench: Steps) -> None:
    for content in (functions("one"), functions("one", "two"), functions("two", "three")):
        bench.ingest({"a.py": content})
    tokens = bench.ledger.take_ready(100, oldest_first=True)
    for token in reversed(tokens):
        bench.work(bench.claim_at(Stage.UPSERT, token))
    assert bench.outcomes() == ["superseded", "superseded", "indexed"]
    assert bench.names() == ["two", "three"]
    bench.assert_index_is_true()


def test_only_the_overtaken_document_of_a_slice_is_left_out(bench: Steps) -> None:
    bench.ingest({"a.py": FIRST, "b.py": functions("bee")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = lambda: bench.ingest({"a.py": NEWER})
    counts = bring_to_index(bench.context, claim)
    assert (counts["documents"], counts["superseded"]) == (1, 1)
    assert bench.names() == ["bee"]
    bench.finish()
    assert sorted(bench.names()) == ["bee", "newer", "one", "two"]
    bench.assert_index_is_true()


# --- the lease is gone


def test_a_worker_that_lost_its_claim_leaves_the_points_of_the_newest_revision_to_its_successor(bench: Steps) -> None:
    bench.ingest({"a.py": FIRST})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = lambda: lose(bench, claim)
    with pytest.raises(ClaimLost):
        bring_to_index(bench.context, claim)
    assert len(bench.index.points) == 3
    assert bench.committed() == {}
    bring_to_index(bench.context, bench.claim())
    assert bench.outcomes() == ["indexed"]
    bench.assert_index_is_true()


def test_a_worker_that_slept_while_its_successor_finished_changes_nothing(bench: Steps) -> None:
    bench.ingest({"a.py": FIRST})
    claim = bench.claim_at(Stage.UPSERT)

    def finish_elsewhere() -> None:
        lose(bench, claim)
        bench.finish()

    bench.index.after["upsert"] = finish_elsewhere
    with pytest.raises(ClaimLost):
        bring_to_index(bench.context, claim)
    assert bench.outcomes() == ["indexed"]
    bench.assert_index_is_true()


@pytest.mark.parametrize("call", ["upsert", "retrieve"])
def test_a_worker_that_slept_while_newer_revisions_went_by_removes_what_it_wrote(bench: Steps, call: str) -> None:
    index_all(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("one", "two", "gone")})
    claim = bench.claim_at(Stage.UPSERT)

    def newer_elsewhere() -> None:
        lose(bench, claim)
        index_all(bench, functions("one", "newer"))

    bench.index.after[call] = newer_elsewhere
    with pytest.raises((ClaimLost, ReadBackFailed)):
        bring_to_index(bench.context, claim)
    assert bench.names() == ["one", "newer"]
    bench.assert_index_is_true()


def test_a_worker_whose_write_arrives_after_the_newer_revision_removes_it(bench: Steps) -> None:
    """It slept with its points on the wire: they are written when all is over."""
    bench.ingest({"a.py": FIRST})
    sleeper = bench.claim_at(Stage.UPSERT)
    points = {}

    def newer_first() -> None:
        points.update(bench.index.points)
        bench.index.drop()
        lose(bench, sleeper)
        index_all(bench, NEWER)
        bench.index.upsert(sleeper.scope, list(points.values()))

    bench.index.after["upsert"] = newer_first
    with pytest.raises(ClaimLost):
        bring_to_index(bench.context, sleeper)
    assert bench.outcomes() == ["superseded", "indexed"]
    assert bench.names() == ["one", "two", "newer"]
    bench.assert_index_is_true()


# --- strays


def strays(bench: Steps, *points: UUID, generation: int) -> set[UUID]:
    document = ref(bench)
    old = DocumentRef(document.id, document.path, document.language, generation, document.revision)
    return {stray.point_id for stray in bench.ledger.strays([(point, old) for point in points])}


def test_no_point_is_a_stray_while_its_generation_is_the_newest(bench: Steps) -> None:
    index_all(bench, FIRST)
    unknown = UUID(int=7)
    assert strays(bench, unknown, generation=1) == set()
    bench.ingest({"a.py": NEWER})
    assert strays(bench, unknown, generation=1) == {unknown}
    assert strays(bench, unknown, generation=2) == set()


def test_a_point_is_no_stray_while_a_committed_chunk_stands_for_it(bench: Steps) -> None:
    index_all(bench, FIRST)
    standing, unknown = next(iter(bench.committed())), UUID(int=7)
    bench.ingest({"a.py": NEWER})
    assert strays(bench, standing, unknown, generation=1) == {unknown}
    bench.change("chunks", standing, retired_at=bench.now())
    assert strays(bench, standing, unknown, generation=1) == {standing, unknown}


def test_no_points_are_no_strays(bench: Steps) -> None:
    assert bench.ledger.strays([]) == []


# --- what an overtaken revision did to points that stay


Edit = Callable[[str], str]


@pytest.mark.parametrize("edited", [functions("new", "one", "two"), "class K:\n" + functions("one", "two")])
def test_a_point_that_an_overtaken_revision_changed_is_put_right_by_the_next(bench: Steps, edited: str) -> None:
    """The overtaken revision moved a point or gave it another vector; the next revision has it as it was before."""
    index_all(bench, functions("one", "two"))
    bench.ingest({"a.py": edited})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["retrieve"] = lambda: bench.ingest({"a.py": functions("one", "two")})
    bring_to_index(bench.context, claim)
    bench.finish()
    assert bench.names() == ["one", "two"]
    bench.assert_index_is_true()
