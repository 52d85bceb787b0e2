"""The upsert stage leaves index and ledger in agreement, at the least cost, and again after a crash at any step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from harness.bench import Bench
from harness.eventful_index import EventfulIndex
from harness.revisions import functions

from models.ledger import PostgresLedger
from pipeline.errors import ServiceUnavailable
from pipeline.identity import model_id
from pipeline.testing import RecordingEmbedder
from pipeline.types import Claim, EmbeddingModel, Stage
from pipeline.upsert import ReadBackFailed
from tasks.indexing import bring_to_index


def ingest(bench: Bench, content: str | None, path: str = "a.py") -> dict[str, int]:
    """Ingest one document, or delete it, and return what the upsert stage counted."""
    bench.index.forget_log()
    if content is None:
        bench.delete(path)
    else:
        bench.ingest({path: content})
    return bring_to_index(bench.context, bench.claim_at(Stage.UPSERT))


def names(bench: Bench) -> list[str]:
    return [row["name"] for row in bench.rows("SELECT name FROM chunks WHERE retired_at IS NULL ORDER BY ordinal")]


def log(bench: Bench) -> tuple[int, int, int]:
    index = bench.index
    return len(index.written), len(index.moved), len(index.deleted)


def document(bench: Bench) -> dict[str, object]:
    (row,) = bench.rows(
        "SELECT state, generation, committed_generation, indexed_generation, versions, encoding FROM documents"
    )
    return row


# --- what it costs


def test_a_new_document_is_written_and_indexed(bench: Bench) -> None:
    counts = ingest(bench, functions("one", "two", "three"))
    assert counts == {"documents": 1, "superseded": 0, "written": 3, "moved": 0, "deleted": 0, "failed": 0}
    assert document(bench) == {
        "state": "indexed",
        "generation": 1,
        "committed_generation": 1,
        "indexed_generation": 1,
        "versions": "versions-1",
        "encoding": "utf-8",
    }
    assert bench.rows("SELECT state, points_written, points_updated, points_deleted FROM slices") == [
        {"state": "done", "points_written": 3, "points_updated": 0, "points_deleted": 0}
    ]
    assert bench.one("SELECT outcome FROM run_documents") == "indexed"
    assert bench.rows("SELECT 1 FROM chunk_sets") == []
    assert names(bench) == ["one", "two", "three"]
    bench.assert_index_is_true()


def test_a_document_without_chunks_is_indexed_all_the_same(bench: Bench) -> None:
    ingest(bench, "")
    assert (document(bench)["state"], names(bench), log(bench)) == ("indexed", [], (0, 0, 0))
    ingest(bench, functions("one"))
    ingest(bench, "")
    assert (document(bench)["state"], names(bench), log(bench)) == ("indexed", [], (0, 0, 1))
    bench.assert_index_is_true()


def test_the_same_bytes_again_touch_no_point(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    bench.context = replace(bench.context, versions="versions-2")
    ingest(bench, functions("one", "two"))
    assert log(bench) == (0, 0, 0)
    assert (document(bench)["indexed_generation"], document(bench)["versions"]) == (2, "versions-2")
    assert set(bench.committed().values()) == {1}, "points keep the generation that wrote them"
    bench.assert_index_is_true()


def test_an_edit_writes_only_what_changed_and_moves_only_what_moved(bench: Bench) -> None:
    ingest(bench, functions("one", "two", "three", "four"))
    bought = len(bench.embedder.bought)
    counts = ingest(bench, functions("one", "new", "newer", "three", "four"))
    assert (counts["written"], counts["moved"], counts["deleted"]) == (2, 2, 1) == log(bench)
    assert len(bench.embedder.bought) == bought + 2
    assert names(bench) == ["one", "new", "newer", "three", "four"]
    assert sorted(bench.committed().values()) == [1, 2, 2, 2, 2]
    bench.assert_index_is_true()


def test_a_chunk_that_only_shifts_in_the_file_costs_the_index_nothing(bench: Bench) -> None:
    """The edit keeps the number of lines, so what follows has new bytes offsets and the same lines."""
    ingest(bench, functions("one", "two", "three"))
    before = bench.rows("SELECT id, start_byte, generation FROM chunks WHERE name = 'three'")[0]
    ingest(bench, functions("one", "two_is_longer_now", "three"))
    after = bench.rows("SELECT id, start_byte, generation FROM chunks WHERE name = 'three'")[0]
    assert log(bench) == (1, 0, 1)
    assert (after["id"], after["generation"]) == (before["id"], 1)
    assert after["start_byte"] > before["start_byte"]
    bench.assert_index_is_true()


def test_equal_chunks_of_one_document_are_told_apart(bench: Bench) -> None:
    ingest(bench, functions("same", "same", "same"))
    assert len(bench.committed()) == 3
    assert len(bench.embedder.bought) == 1, "and embedded once"
    ingest(bench, functions("same", "same"))
    assert log(bench) == (0, 0, 1)
    bench.assert_index_is_true()


def test_a_deleted_document_leaves_nothing_behind(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    counts = ingest(bench, None)
    assert (counts["documents"], counts["deleted"], log(bench)) == (1, 2, (0, 0, 2))
    assert document(bench)["state"] == "deleted"
    assert bench.one("SELECT deleted_at IS NOT NULL FROM documents")
    assert bench.rows("SELECT 1 FROM chunks") == []
    assert bench.one("SELECT points_deleted FROM slices ORDER BY created_at DESC LIMIT 1") == 2
    assert bench.index.points == {}


def test_a_document_that_comes_back_is_written_without_being_paid_for_again(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    ingest(bench, None)
    bought = list(bench.embedder.bought)
    ingest(bench, functions("one", "two"))
    assert log(bench) == (2, 0, 0)
    assert bench.embedder.bought == bought
    assert set(bench.committed().values()) == {3}
    bench.assert_index_is_true()


def test_back_and_forth_ends_where_it_began(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    ingest(bench, functions("one", "other"))
    ingest(bench, functions("one", "two"))
    assert document(bench)["indexed_generation"] == 3
    assert names(bench) == ["one", "two"]
    assert len(bench.embedder.bought) == 3
    bench.assert_index_is_true()


def test_another_model_writes_every_point_anew_into_its_own_index(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    embedder = RecordingEmbedder(EmbeddingModel("testing", "another", 16))
    bench.index = EventfulIndex(embedder.model)
    bench.context = replace(bench.context, embedder=embedder, index=bench.index, versions="versions-2")
    ingest(bench, functions("one", "two"))
    assert log(bench) == (2, 0, 0)
    assert len(embedder.bought) == 2
    assert bench.rows("SELECT DISTINCT model_id FROM chunks") == [{"model_id": model_id(embedder.model.key)}]
    bench.assert_index_is_true()


def test_renaming_a_class_is_paid_for_by_its_members_because_their_header_changes(bench: Bench) -> None:
    def members(name: str) -> str:
        return f"class {name}:\n    def first(self):\n        return 1\n\n    def second(self):\n        return 2\n"

    ingest(bench, members("Before"))
    before = bench.committed()
    ingest(bench, members("After_"))
    assert set(before) & set(bench.committed()), "the members keep their ids"
    assert len(bench.index.written) > 1
    bench.assert_index_is_true()


def test_one_slice_carries_news_edits_and_empties_together(bench: Bench) -> None:
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
    assert bench.rows("SELECT DISTINCT outcome FROM run_documents") == [{"outcome": "indexed"}]
    assert len(bench.index.deleted) == 2
    bench.assert_index_is_true()


# --- done means read back


def test_points_that_do_not_read_back_are_not_committed(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.index.after["upsert"] = bench.index.drop
    with pytest.raises(ReadBackFailed):
        bring_to_index(bench.context, claim)
    assert bench.committed() == {}
    assert (document(bench)["state"], document(bench)["committed_generation"]) == ("pending", 0)
    bring_to_index(bench.context, claim)
    assert document(bench)["state"] == "indexed"
    bench.assert_index_is_true()


def test_a_deletion_that_does_not_read_back_is_tried_again(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("one")})
    claim = bench.claim_at(Stage.UPSERT)
    kept = dict(bench.index.points)
    bench.index.after["delete"] = lambda: bench.index.points.update(kept)
    with pytest.raises(ReadBackFailed):
        bring_to_index(bench.context, claim)
    assert names(bench) == ["one"], "the new revision is visible already"
    assert (document(bench)["state"], document(bench)["indexed_generation"]) == ("pending", 1)
    assert bench.one("SELECT count(*) FROM chunks WHERE retired_at IS NOT NULL") == 1
    bring_to_index(bench.context, claim)
    assert (document(bench)["state"], document(bench)["indexed_generation"]) == ("indexed", 2)
    bench.assert_index_is_true()


@pytest.mark.parametrize("call", ["upsert", "move", "delete", "retrieve"])
def test_an_index_that_goes_away_at_any_step_is_found_in_order_later(bench: Bench, call: str) -> None:
    ingest(bench, functions("one", "two", "three"))
    bench.ingest({"a.py": functions("new", "newer", "two", "three")})
    claim = bench.claim_at(Stage.UPSERT)

    def fail() -> None:
        raise ServiceUnavailable("Qdrant")

    bench.index.after[call] = fail
    with pytest.raises(ServiceUnavailable):
        bring_to_index(bench.context, claim)
    assert document(bench)["state"] == "pending"
    bench.ledger.hand_back(claim, "ServiceUnavailable", "", 0.0, forgive=True)
    bring_to_index(bench.context, bench.claim())
    assert document(bench)["state"] == "indexed"
    assert names(bench) == ["new", "newer", "two", "three"]
    bench.assert_index_is_true()


class DyingLedger(PostgresLedger):
    """Dies between the commit of the chunks and the end of the slice, once."""

    lives = False

    def finish_slice(self, claim: Claim, *rest: object) -> None:
        if not self.lives:
            self.lives = True
            raise KeyboardInterrupt
        super().finish_slice(claim, *rest)


@pytest.mark.parametrize("content", [functions("one", "three"), functions("one"), "", None])
def test_a_crash_between_commit_and_finish_is_finished_by_the_next(bench: Bench, content: str | None) -> None:
    ingest(bench, functions("one", "two"))
    bench.context = replace(bench.context, ledger=DyingLedger(bench.engine, max_attempts=3))
    with pytest.raises(KeyboardInterrupt):
        ingest(bench, content)
    assert document(bench)["committed_generation"] == 2
    assert document(bench)["indexed_generation"] == 1
    (claim_row,) = bench.rows("SELECT id FROM slices WHERE state = 'running'")
    bench.rows("UPDATE slices SET lease_until = now() - interval '1 s' WHERE id = :id", **claim_row)
    bench.ledger.sweep(60.0)
    bench.index.forget_log()
    bring_to_index(bench.context, bench.claim())
    assert log(bench) == (0, 0, 0), "nothing is left to do but to say so"
    assert document(bench)["state"] == ("deleted" if content is None else "indexed")
    assert bench.rows("SELECT 1 FROM run_documents WHERE outcome = 'pending'") == []
    bench.assert_index_is_true()


# --- absent never reads as zero


def test_a_document_whose_chunks_are_missing_fails_and_keeps_what_it_has(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    bench.ingest({"a.py": functions("three"), "b.py": functions("four")})
    claim = bench.claim_at(Stage.UPSERT)
    bench.rows("DELETE FROM chunk_sets WHERE document_id = :id", id=bench.document("a.py"))
    counts = bring_to_index(bench.context, claim)
    assert (counts["failed"], counts["documents"], counts["deleted"]) == (1, 1, 0)
    rows = {row["path"]: row for row in bench.rows("SELECT path, state, indexed_generation, error FROM documents")}
    assert rows["a.py"] == {"path": "a.py", "state": "failed", "indexed_generation": 1, "error": "MalformedDocument"}
    assert rows["b.py"]["state"] == "indexed"
    assert len(bench.committed()) == 3
    bench.assert_index_is_true()


def test_a_document_that_failed_earlier_in_the_chain_keeps_what_it_has(bench: Bench) -> None:
    ingest(bench, functions("one", "two"))
    bench.embedder.refused.add("three")
    bench.ingest({"a.py": functions("three"), "b.py": functions("four")})
    bench.finish()
    states = {row["path"]: row["state"] for row in bench.rows("SELECT path, state FROM documents")}
    assert states == {"a.py": "failed", "b.py": "indexed"}
    assert sorted(names(bench)) == ["four", "one", "two"]
    bench.assert_index_is_true()
    assert bench.rows("SELECT 1 FROM chunk_sets") == []


def test_a_slice_that_was_embedded_with_another_model_fails_clearly_and_keeps_what_it_has(bench: Bench) -> None:
    ingest(bench, functions("one"))
    bench.ingest({"a.py": functions("two")})
    claim = bench.claim_at(Stage.UPSERT)
    changed = RecordingEmbedder(EmbeddingModel("testing", "another", 16))
    counts = bring_to_index(replace(bench.context, embedder=changed), claim)
    assert (counts["failed"], counts["documents"]) == (1, 0)
    assert bench.rows("SELECT state, error FROM documents") == [{"state": "failed", "error": "NotEmbedded"}]
    assert names(bench) == ["one"]
    bench.assert_index_is_true()
