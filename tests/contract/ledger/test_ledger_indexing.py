"""The upsert stage leaves index and ledger in agreement, at the least cost, and again after a crash at any step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness.dying_caller import Died, DyingCaller
from harness.eventful_index import EventfulIndex
from harness.revisions import functions
from harness.steps import Steps

from pipeline.errors import ServiceUnavailable
from pipeline.identity import model_id
from pipeline.states import DocumentState, SliceState
from pipeline.testing import RecordingEmbedder
from pipeline.types import EmbeddingModel, Stage
from pipeline.upsert import ReadBackFailed
from tasks.indexing import bring_to_index


def ingest(bench: Steps, content: str | None, path: str = "a.py") -> dict[str, int]:
    """Ingest one document, or delete it, and return what the upsert stage counted."""
    bench.index.forget_log()
    if content is None:
        bench.delete(path)
    else:
        bench.ingest({path: content})
    return bring_to_index(bench.context, bench.claim_at(Stage.UPSERT))


def log(bench: Steps) -> tuple[int, int, int]:
    index = bench.index
    return len(index.written), len(index.moved), len(index.deleted)


def progress(bench: Steps) -> tuple[str, int]:
    """Return the only document's state and the generation that was read back."""
    document = bench.only_document()
    return document.state.value, document.indexed_generation


# --- what it costs


def test_a_new_document_is_written_and_indexed(bench: Steps) -> None:
    counts = ingest(bench, functions("one", "two", "three"))
    assert counts == {"documents": 1, "superseded": 0, "written": 3, "moved": 0, "deleted": 0, "failed": 0}
    document = bench.only_document()
    assert (document.state, document.versions, document.encoding) == (DocumentState.INDEXED, "versions-1", "utf-8")
    assert (document.generation, document.committed_generation, document.indexed_generation) == (1, 1, 1)
    assert document.committed_revision == document.revision is not None
    row = bench.only_slice()
    assert (row.state, row.chunks_total) == (SliceState.DONE, 3)
    assert (row.points_written, row.points_updated, row.points_deleted) == (3, 0, 0)
    assert bench.outcomes() == ["indexed"]
    assert bench.chunk_sets() == set()
    assert bench.names() == ["one", "two", "three"]
    bench.assert_index_is_true()


def test_a_document_without_chunks_is_indexed_all_the_same(bench: Steps) -> None:
    ingest(bench, "")
    assert (progress(bench), bench.names(), log(bench)) == (("indexed", 1), [], (0, 0, 0))
    ingest(bench, functions("one"))
    ingest(bench, "")
    assert (progress(bench), bench.names(), log(bench)) == (("indexed", 3), [], (0, 0, 1))
    bench.assert_index_is_true()


def test_the_same_bytes_again_touch_no_point(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    bench.context = replace(bench.context, versions="versions-2")
    ingest(bench, functions("one", "two"))
    assert log(bench) == (0, 0, 0)
    assert progress(bench) == ("indexed", 2)
    assert bench.only_document().versions == "versions-2"
    assert set(bench.committed().values()) == {1}, "points keep the generation that wrote them"
    bench.assert_index_is_true()


def test_an_edit_writes_only_what_changed_and_moves_only_what_moved(bench: Steps) -> None:
    ingest(bench, functions("one", "two", "three", "four"))
    bought = len(bench.embedder.bought)
    counts = ingest(bench, functions("one", "new", "newer", "three", "four"))
    assert (counts["written"], counts["moved"], counts["deleted"]) == (2, 2, 1) == log(bench)
    assert len(bench.embedder.bought) == bought + 2
    assert bench.names() == ["one", "new", "newer", "three", "four"]
    assert sorted(bench.committed().values()) == [1, 2, 2, 2, 2]
    bench.assert_index_is_true()


def test_a_chunk_that_only_shifts_in_the_file_costs_the_index_nothing(bench: Steps) -> None:
    """The edit keeps the number of lines, so what follows has new bytes offsets and the same lines."""
    ingest(bench, functions("one", "two", "three"))
    before = bench.standing()[2]
    ingest(bench, functions("one", "two_is_longer_now", "three"))
    after = bench.standing()[2]
    assert log(bench) == (1, 0, 1)
    assert (after.chunk.id, after.chunk.name, after.generation) == (before.chunk.id, "three", 1)
    assert after.chunk.start > before.chunk.start
    bench.assert_index_is_true()


def test_a_chunk_whose_definition_grows_behind_it_gets_its_new_parent_in_the_ledger_alone(bench: Steps) -> None:
    start = "x = 1\ndef f():\n    first = 1111111111111111\n"
    ingest(bench, f"{start}    last = 1\n")
    before = next(row for row in bench.standing() if row.chunk.name == "f")
    assert (before.chunk.parent_start, before.chunk.parent_end) == (6, len(start) + len("    last = 1"))
    ingest(bench, f"{start}    last = 12345\n")
    after = next(row for row in bench.standing() if row.chunk.name == "f")
    assert log(bench) == (1, 0, 1)
    assert after.generation == before.generation == 1
    assert after.chunk == before.chunk._replace(parent_end=before.chunk.parent_end + len("2345"))
    bench.assert_index_is_true()


def test_equal_chunks_of_one_document_are_told_apart(bench: Steps) -> None:
    ingest(bench, functions("same", "same", "same"))
    assert len(bench.committed()) == 3
    assert len(bench.embedder.bought) == 1, "and embedded once"
    ingest(bench, functions("same", "same"))
    assert log(bench) == (0, 0, 1)
    bench.assert_index_is_true()


def test_a_deleted_document_leaves_nothing_behind(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    counts = ingest(bench, None)
    assert (counts["documents"], counts["deleted"], log(bench)) == (1, 2, (0, 0, 2))
    assert progress(bench) == ("deleted", 2)
    assert bench.only_document().deleted_at is not None
    assert bench.outcomes() == ["indexed", "deleted"]
    assert bench.chunks() == []
    assert bench.slices()[-1].points_deleted == 2
    assert bench.index.points == {}


def test_a_document_that_comes_back_is_written_without_being_paid_for_again(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    ingest(bench, None)
    bought = list(bench.embedder.bought)
    ingest(bench, functions("one", "two"))
    assert log(bench) == (2, 0, 0)
    assert bench.embedder.bought == bought
    assert set(bench.committed().values()) == {3}
    bench.assert_index_is_true()


def test_back_and_forth_ends_where_it_began(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    ingest(bench, functions("one", "other"))
    ingest(bench, functions("one", "two"))
    assert progress(bench) == ("indexed", 3)
    assert bench.names() == ["one", "two"]
    assert len(bench.embedder.bought) == 3
    bench.assert_index_is_true()


def test_another_model_writes_every_point_anew_into_its_own_index(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    embedder = RecordingEmbedder(EmbeddingModel("testing", "another", 16))
    bench.index = EventfulIndex(embedder.model)
    bench.context = replace(bench.context, embedder=embedder, index=bench.index, versions="versions-2")
    ingest(bench, functions("one", "two"))
    assert log(bench) == (2, 0, 0)
    assert len(embedder.bought) == 2
    assert {row.model_id for row in bench.chunks()} == {model_id(embedder.model.key)}
    bench.assert_index_is_true()


def test_renaming_a_class_is_paid_for_by_its_members_because_their_header_changes(bench: Steps) -> None:
    def members(name: str) -> str:
        return f"class {name}:\n    def first(self):\n        return 1\n\n    def second(self):\n        return 2\n"

    ingest(bench, members("Before"))
    before = bench.committed()
    ingest(bench, members("After_"))
    assert set(before) & set(bench.committed()), "the members keep their ids"
    assert len(bench.index.written) > 1
    bench.assert_index_is_true()


def test_one_slice_carries_news_edits_and_empties_together(bench: Steps) -> None:
    bench.ingest({"edited.py": functions("one", "two"), "emptied.py": functions("three"), "same.py": functions("four")})
    bench.finish()
    bench.index.forget_log()
    bench.ingest(
        {
            "edited.py": functions("one", "zwei"),
            "emptied.py": "",
            "same.py": functions("four"),
            "new.md": "# A\n\ntext of it\n",
        }
    )
    bench.finish()
    assert set(bench.outcomes()) == {"indexed"}
    assert len(bench.index.deleted) == 2
    bench.assert_index_is_true()


# --- done means read back


def test_points_that_do_not_read_back_are_not_committed(bench: Steps) -> None:
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = bench.index.drop
    with pytest.raises(ReadBackFailed):
        bring_to_index(bench.context, claim)
    assert bench.committed() == {}
    assert (progress(bench), bench.only_document().committed_generation) == (("pending", 0), 0)
    bring_to_index(bench.context, claim)
    assert progress(bench) == ("indexed", 1)
    bench.assert_index_is_true()


def test_a_moved_chunk_whose_point_the_index_has_lost_is_written_anew(bench: Steps) -> None:
    ingest(bench, functions("one", "two", "three"))
    before = dict(bench.index.points)
    lost = bench.standing()[1].chunk.id
    del bench.index.points[lost]
    bought = len(bench.embedder.bought)
    counts = ingest(bench, f"import os\n{functions('one', 'two', 'three')}")
    assert (counts["documents"], counts["failed"]) == (1, 0)
    assert progress(bench) == ("indexed", 2)
    assert lost in bench.index.written
    assert bench.index.points[lost].vector == before[lost].vector
    assert len(bench.embedder.bought) == bought + counts["written"], "what is written anew for the loss is not bought"
    bench.assert_index_is_true()


def test_a_lost_point_that_does_not_stay_written_is_not_committed(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("new", "newer", "one", "two")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.points.pop(bench.standing()[1].chunk.id)
    drop = bench.index.drop
    bench.index.after["retrieve"] = lambda: bench.index.after.update(upsert=drop)
    with pytest.raises(ReadBackFailed):
        bring_to_index(bench.context, claim)
    assert (progress(bench), bench.names()) == (("pending", 1), ["one", "two"])
    bring_to_index(bench.context, claim)
    assert progress(bench) == ("indexed", 2)
    bench.assert_index_is_true()


def test_a_deletion_that_does_not_read_back_is_tried_again(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(Stage.UPSERT)
    kept = dict(bench.index.points)
    bench.index.after["delete"] = lambda: bench.index.points.update(kept)
    with pytest.raises(ReadBackFailed):
        bring_to_index(bench.context, claim)
    assert bench.names() == ["one"], "the new revision is visible already"
    assert progress(bench) == ("pending", 1)
    assert len(bench.chunks()) == 2, "the retired one is not forgotten"
    bring_to_index(bench.context, claim)
    assert progress(bench) == ("indexed", 2)
    bench.assert_index_is_true()


@pytest.mark.parametrize("call", ["upsert", "move", "delete", "retrieve"])
def test_an_index_that_goes_away_at_any_step_is_found_in_order_later(bench: Steps, call: str) -> None:
    ingest(bench, functions("one", "two", "three"))
    bench.ingest({"a.py": functions("new", "newer", "two", "three")})
    claim = bench.claim_at(Stage.UPSERT)

    def fail() -> None:
        raise ServiceUnavailable("Qdrant")

    bench.index.after[call] = fail
    with pytest.raises(ServiceUnavailable):
        bring_to_index(bench.context, claim)
    assert progress(bench) == ("pending", 1)
    bench.ledger.hand_back(claim, "ServiceUnavailable", "", 0.0, forgive=True)
    bring_to_index(bench.context, bench.claim())
    assert progress(bench) == ("indexed", 2)
    assert bench.names() == ["new", "newer", "two", "three"]
    bench.assert_index_is_true()


@pytest.mark.parametrize("content", [functions("one", "three"), functions("one"), "", None])
def test_a_crash_between_commit_and_finish_is_finished_by_the_next(bench: Steps, content: str | None) -> None:
    ingest(bench, functions("one", "two"))
    living = bench.context
    bench.context = replace(living, ledger=DyingCaller(bench.ledger, name="finish_slice"))
    with pytest.raises(Died):
        ingest(bench, content)
    bench.context = living
    assert (bench.only_document().committed_generation, bench.only_document().indexed_generation) == (2, 1)
    bench.pass_time(61.0)
    assert bench.ledger.sweep(60.0).expired == 1
    bench.index.forget_log()
    bring_to_index(bench.context, bench.claim())
    assert log(bench) == (0, 0, 0), "nothing is left to do but to say so"
    assert progress(bench) == ("deleted" if content is None else "indexed", 2)
    assert "pending" not in bench.outcomes()
    bench.assert_index_is_true()


# --- absent never reads as zero


def test_a_document_whose_chunks_are_missing_fails_and_keeps_what_it_has(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("three"), "b.py": functions("four")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.forget_chunk_sets(bench.document("a.py"))
    counts = bring_to_index(bench.context, claim)
    assert (counts["failed"], counts["documents"], counts["deleted"]) == (1, 1, 0)
    first, second = bench.documents()
    assert (first.state, first.indexed_generation, first.error) == (DocumentState.FAILED, 1, "MalformedDocument")
    assert second.state is DocumentState.INDEXED
    assert len(bench.committed()) == 3
    bench.assert_index_is_true()


def test_a_document_that_failed_earlier_in_the_chain_keeps_what_it_has(bench: Steps) -> None:
    ingest(bench, functions("one", "two"))
    bench.embedder.refused.add("three")
    bench.ingest({"a.py": functions("three"), "b.py": functions("four")})
    bench.finish()
    assert [row.state for row in bench.documents()] == [DocumentState.FAILED, DocumentState.INDEXED]
    assert sorted(bench.names()) == ["four", "one", "two"]
    bench.assert_index_is_true()
    assert bench.chunk_sets() == set()


def test_a_slice_that_was_embedded_with_another_model_fails_clearly_and_keeps_what_it_has(bench: Steps) -> None:
    ingest(bench, functions("one"))
    bench.ingest({"a.py": functions("two")})
    claim = bench.claim_at(Stage.UPSERT)
    changed = RecordingEmbedder(EmbeddingModel("testing", "another", 16))
    counts = bring_to_index(replace(bench.context, embedder=changed), claim)
    assert (counts["failed"], counts["documents"]) == (1, 0)
    assert (bench.only_document().state, bench.only_document().error) == (DocumentState.FAILED, "NotEmbedded")
    assert bench.names() == ["one"]
    bench.assert_index_is_true()


# --- what is known beyond the labels


def test_facts_and_imports_are_committed_and_a_change_of_them_alone_costs_the_index_nothing(bench: Steps) -> None:
    """The body of the second function changes; of the first one's chunks only the number of parts does."""
    head = 'import os\ndef f(a, b=1) -> int:\n    """Say f."""\n    return os.getpid(a)\n'
    ingest(bench, head)
    assert bench.only_document().imports == ("os",)
    before = {row.chunk.id: row.chunk for row in bench.standing()}
    facts = next(each.facts for each in before.values() if each.name == "f")
    assert facts is not None
    assert (facts.symbol, facts.doc, facts.parameters, facts.returns) == ("f", "Say f.", ("a", "b"), "int")
    ingest(bench, head + "    pass; pass; pass; pass; pass; pass\n")
    kept = [row for row in bench.standing() if row.chunk.id in before]
    assert all(row.generation == 1 for row in kept)
    assert any(row.chunk.facts != before[row.chunk.id].facts for row in kept)
    assert log(bench)[1] == 0, "nothing is moved"
    bench.assert_index_is_true()


def test_a_document_that_stops_importing_says_so(bench: Steps) -> None:
    ingest(bench, "import os\n")
    ingest(bench, "x = 1\n")
    assert bench.only_document().imports == ()
