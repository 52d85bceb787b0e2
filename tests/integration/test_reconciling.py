"""A reconciliation finds every disagreement between the real ledger and an index, mends it, and buys nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from harness.bench import Bench
from harness.reconciling import change, counts, look, mend, plant_orphans, reconcile_context
from harness.revisions import functions

from pipeline.errors import ServiceUnavailable
from pipeline.reconciliation import ReconciliationState
from pipeline.sparse import SPARSE_VERSION, SparseVector
from pipeline.testing import RecordingEmbedder
from pipeline.types import EmbeddingModel, Point, Scope
from tasks.reconciliation_pass import reconcile

NAMES = [f"function_{number}" for number in range(12)]


@pytest.fixture
def filled(bench: Bench) -> Bench:
    """Two documents, fourteen chunks, everything in order."""
    bench.ingest({"a.py": functions(*NAMES), "b.py": functions("one", "two")})
    bench.finish()
    bench.index.forget_log()
    return bench


def chunks(bench: Bench) -> list[UUID]:
    return sorted(bench.committed())


def drifts(bench: Bench) -> list[tuple[UUID, str, bool]]:
    rows = bench.rows(
        "SELECT point_id, kind, repaired_at IS NOT NULL AS is_repaired FROM drifts ORDER BY kind, point_id"
    )
    return [(row["point_id"], row["kind"], row["is_repaired"]) for row in rows]


# --- in sync


def test_where_nothing_drifted_nothing_is_found_and_nothing_touched(filled: Bench) -> None:
    for report in (look(filled), mend(filled)):
        assert (report.state, counts(report), report.message) == (ReconciliationState.FINISHED, (0, 0, 0), "")
        assert (report.counts.compared, report.counts.scanned, report.counts.deferred) == (14, 14, 0)
    assert (filled.index.written, filled.index.deleted, filled.index.removed) == ([], [], [])
    assert drifts(filled) == []


def test_an_empty_ledger_and_an_empty_index_agree(bench: Bench) -> None:
    assert counts(mend(bench)) == (0, 0, 0)


def test_points_that_moved_or_shifted_with_an_edit_are_in_order(filled: Bench) -> None:
    filled.ingest({"a.py": functions("new", *NAMES[1:])})
    filled.finish()
    filled.ingest({"a.py": functions("newer", "still_newer", *NAMES[1:])})
    filled.finish()
    assert counts(look(filled)) == (0, 0, 0)


# --- every kind


def plant_missing(bench: Bench, point_id: UUID) -> str:
    del bench.index.points[point_id]
    return "missing"


def plant_older(bench: Bench, point_id: UUID) -> str:
    change(bench, point_id, generation=0)
    return "stale"


def plant_newer(bench: Bench, point_id: UUID) -> str:
    change(bench, point_id, generation=9)
    return "stale"


def plant_other_text(bench: Bench, point_id: UUID) -> str:
    change(bench, point_id, text_hash="00" * 32)
    return "stale"


def plant_other_input(bench: Bench, point_id: UUID) -> str:
    change(bench, point_id, embed_hash="00" * 32)
    return "stale"


def plant_other_tenant(bench: Bench, point_id: UUID) -> str:
    change(bench, point_id, tenant=str(uuid4()))
    return "stale"


def plant_no_payload(bench: Bench, point_id: UUID) -> str:
    bench.index.points[point_id] = replace(bench.index.points[point_id], payload={})
    return "stale"


def plant_newer_row(bench: Bench, point_id: UUID) -> str:
    bench.rows("UPDATE chunks SET generation = 7 WHERE id = :id", id=point_id)
    return "stale"


def plant_older_row(bench: Bench, point_id: UUID) -> str:
    bench.rows("UPDATE chunks SET generation = 0 WHERE id = :id", id=point_id)
    return "stale"


def plant_other_row(bench: Bench, point_id: UUID) -> str:
    bench.rows("UPDATE chunks SET text_hash = decode('00', 'hex') WHERE id = :id", id=point_id)
    return "stale"


def plant_no_row(bench: Bench, point_id: UUID) -> str:
    bench.rows("DELETE FROM chunks WHERE id = :id", id=point_id)
    return "orphan"


def plant_retired_row(bench: Bench, point_id: UUID) -> str:
    bench.rows("UPDATE chunks SET retired_at = now() WHERE id = :id", id=point_id)
    return "orphan"


PLANTS = [
    value for name, value in sorted(globals().items()) if name.startswith("plant_") and value is not plant_orphans
]


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_it_is_found_by_every_pass_and_mended_by_the_first_repair(
    filled: Bench, plant: Callable[[Bench, UUID], str]
) -> None:
    point_id = chunks(filled)[6]
    kind = plant(filled, point_id)
    for _ in range(2):
        report = look(filled)
        assert (report.counts.drifted, getattr(report.counts, kind), report.counts.repaired) == (1, 1, 0)
    filled.rows("DELETE FROM drifts")
    report = mend(filled)
    assert (report.counts.drifted, report.counts.repaired, report.counts.left) == (1, 1, 0)
    assert drifts(filled) == [(point_id, kind, True)]
    assert counts(look(filled)) == (0, 0, 0)
    assert {each: point.generation for each, point in filled.index.points.items()} == filled.committed()


def test_a_mended_point_has_the_vector_and_the_payload_it_had_before(filled: Bench) -> None:
    before = dict(filled.index.points)
    for point_id in chunks(filled)[::2]:
        del filled.index.points[point_id]
    for point_id in chunks(filled)[1::4]:
        change(filled, point_id, generation=5, path="elsewhere", text_hash="")
    mend(filled)
    assert filled.index.points == before


def test_all_kinds_at_once_over_many_pages_are_each_found_once(filled: Bench) -> None:
    ids = chunks(filled)
    for number, plant in enumerate(PLANTS):
        plant(filled, ids[number])
    orphans = plant_orphans(filled, 4, Scope(uuid4(), uuid4()))
    filled.index.points[17] = Point(uuid4(), 0, b"", {})
    report = mend(filled)
    assert report.counts.drifted == len(PLANTS) + 5 == report.counts.repaired
    assert report.counts.orphan == 7
    assert not {*orphans, 17} & filled.index.points.keys()
    assert {each: point.generation for each, point in filled.index.points.items()} == filled.committed()


def test_a_point_with_a_number_for_an_id_is_an_orphan_even_if_a_uuid_has_that_value(filled: Bench) -> None:
    payload = {"generation": 4}
    for each in (5, UUID(int=5), 2**64 - 1):
        filled.index.points[each] = Point(uuid4(), 4, b"", payload)
    report = mend(filled)
    assert (report.counts.orphan, report.counts.repaired) == (3, 3)
    rows = filled.rows("SELECT point_id, is_numbered FROM drifts ORDER BY is_numbered DESC, point_id")
    assert [(row["point_id"].int, row["is_numbered"]) for row in rows] == [(5, True), (2**64 - 1, True), (5, False)]
    assert counts(look(filled)) == (0, 0, 0)


def test_an_index_that_lost_everything_is_filled_again_and_nothing_is_bought(filled: Bench) -> None:
    before = dict(filled.index.points)
    filled.index.drop()
    report = mend(filled)
    assert (report.counts.missing, report.counts.repaired) == (14, 14)
    assert filled.index.points == before


# --- scopes and models


def test_a_pass_over_one_project_finds_and_touches_nothing_of_another(filled: Bench) -> None:
    mine = chunks(filled)
    other = filled.sources.resolve("tenant", "other", "source", "/other")
    filled.ingest({"c.py": functions("three", "four")}, source=other)
    filled.finish()
    theirs = [each for each in chunks(filled) if each not in mine]
    del filled.index.points[mine[0]]
    (orphan,) = plant_orphans(filled, 1, filled.source.scope)
    change(filled, theirs[0], generation=9)
    stranger = plant_orphans(filled, 1, Scope(uuid4(), uuid4()))
    report = mend(filled, other.scope)
    assert (counts(report), report.counts.compared, report.counts.scanned) == ((0, 0, 1), 2, 2)
    assert mine[0] not in filled.index.points
    report = mend(filled, filled.source.scope)
    assert (counts(report), report.counts.compared) == ((1, 1, 0), 14)
    assert orphan not in filled.index.points
    assert counts(look(filled)) == (0, 1, 0), "only a pass over everything sees points of unknown projects"
    assert mend(filled).counts.repaired == 1
    assert not {*stranger} & filled.index.points.keys()


def test_a_point_that_names_another_tenant_is_found_from_its_own_project_too(filled: Bench) -> None:
    plant_other_tenant(filled, chunks(filled)[3])
    report = mend(filled, filled.source.scope)
    assert (counts(report), report.counts.repaired) == ((0, 0, 1), 1)
    assert counts(look(filled)) == (0, 0, 0)


def test_chunks_of_another_model_are_not_compared(filled: Bench) -> None:
    embedder = RecordingEmbedder(EmbeddingModel("testing", "another", 16))
    elsewhere = replace(reconcile_context(filled), model=embedder.model)
    filled.index.drop()
    report = reconcile(elsewhere, None, is_repair=True)
    assert report is not None
    assert (report.counts.compared, report.counts.drifted) == (0, 0)


# --- sparse vectors


def test_a_dropped_index_is_filled_again_with_both_vectors_as_they_were(filled: Bench) -> None:
    filled.ingest({"wide.py": functions("größe").encode("utf-16")}, {"copy.py": functions("one", "two")})
    filled.finish()
    before = dict(filled.index.points)
    assert all(point.sparse.indices for point in before.values())
    filled.index.drop()
    assert mend(filled).counts.left == 0
    assert filled.index.points == before


@pytest.mark.parametrize("sparse", [None, SPARSE_VERSION + 1, "1"])
def test_a_point_with_another_version_of_the_sparse_vector_is_written_anew(filled: Bench, sparse: object) -> None:
    before = dict(filled.index.points)
    older = chunks(filled)[3]
    change(filled, older, sparse=sparse)
    filled.index.points[older] = replace(filled.index.points[older], sparse=SparseVector((), ()))
    assert counts(mend(filled)) == (0, 0, 1)
    assert filled.index.points == before


def test_points_from_before_traits_are_written_anew_for_nothing_and_then_filtered_by(bench: Bench) -> None:
    bench.ingest({"tests/test_a.py": functions("one"), "a.py": functions("two")})
    bench.finish()
    before, bought = dict(bench.index.points), len(bench.embedder.calls)
    for each in list(before):
        payload = {name: value for name, value in before[each].payload.items() if name != "traits"}
        bench.index.points[each] = replace(before[each], payload=payload)
    assert counts(mend(bench)) == (0, 0, 2)
    assert bench.index.points == before
    assert len(bench.embedder.calls) == bought
    assert sorted(tuple(point.payload["traits"]) for point in before.values()) == [(), ("test",)]


def test_traits_of_a_generation_that_is_under_way_are_no_drift(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one")})
    bench.finish()
    bench.ingest({"a.py": "# @generated\n" + functions("one")})
    assert counts(look(bench)) == (0, 0, 0)
    bench.finish()
    assert counts(look(bench)) == (0, 0, 0)


# --- what cannot be mended


def test_without_its_vector_a_point_stays_as_it_is_and_the_next_ingestion_buys_it(filled: Bench) -> None:
    absent, altered, fine = (row["id"] for row in filled.rows("SELECT id FROM chunks ORDER BY id LIMIT 3"))
    hashes = [filled.one("SELECT embed_hash FROM chunks WHERE id = :id", id=each) for each in (absent, altered)]
    filled.rows("DELETE FROM embeddings WHERE embed_hash = ANY(:hashes)", hashes=hashes)
    del filled.index.points[absent]
    change(filled, altered, generation=9)
    del filled.index.points[fine]
    report = mend(filled)
    assert (report.counts.drifted, report.counts.repaired, report.counts.failed) == (3, 1, 2)
    assert "2 chunks have no vector in the ledger: run `mobius ingest` again" in report.message
    assert filled.index.points[altered].generation == 9, "what cannot be written again is not deleted"
    assert filled.rows("SELECT 1 FROM documents WHERE versions = ''") != []

    filled.ingest({"a.py": functions(*NAMES), "b.py": functions("one", "two")})
    filled.finish()
    assert mend(filled).counts.left == 0
    assert counts(look(filled)) == (0, 0, 0)


def test_what_does_not_read_back_is_not_repaired(filled: Bench) -> None:
    lost = chunks(filled)[0]
    del filled.index.points[lost]
    filled.index.after["upsert"] = lambda: filled.index.points.pop(lost)
    report = mend(filled)
    assert (report.counts.missing, report.counts.repaired, report.counts.failed) == (1, 0, 1)
    assert "did not read back" in report.message
    assert drifts(filled) == [(lost, "missing", False)]


# --- the guard


def test_a_repair_that_would_delete_too_much_changes_nothing_until_it_is_allowed(filled: Bench) -> None:
    plant_orphans(filled, 15)
    lost = chunks(filled)[0]
    del filled.index.points[lost]
    before = dict(filled.index.points)
    report = mend(filled)
    assert report.state is ReconciliationState.REFUSED
    assert "15 of 28 points" in report.message
    assert "--allow-delete" in report.message
    assert filled.index.points == before
    assert filled.one("SELECT state FROM reconciliations") == "refused"
    assert mend(filled, allow_delete=True).counts.repaired == 16
    assert counts(look(filled)) == (0, 0, 0)


def test_a_ledger_that_lost_its_chunks_does_not_take_the_index_with_it(filled: Bench) -> None:
    filled.rows("DELETE FROM chunks")
    assert mend(filled).state is ReconciliationState.REFUSED
    assert len(filled.index.points) == 14


def test_the_one_orphan_of_two_points_may_go(bench: Bench) -> None:
    bench.ingest({"a.py": functions("one")})
    bench.finish()
    plant_orphans(bench, 1)
    assert mend(bench).counts.repaired == 1


# --- trouble


def test_an_index_that_goes_away_ends_the_pass_as_failed_and_the_next_one_mends(filled: Bench) -> None:
    ids = chunks(filled)
    for each in ids[:5]:
        del filled.index.points[each]

    def fail() -> None:
        filled.index.fault = ServiceUnavailable("Qdrant")

    filled.index.after["upsert"] = fail
    with pytest.raises(ServiceUnavailable):
        mend(filled)
    (row,) = filled.rows("SELECT state, message, finished_at IS NOT NULL AS is_over FROM reconciliations")
    assert (row["state"], row["is_over"]) == ("failed", True)
    assert row["message"].startswith("ServiceUnavailable: Qdrant does not answer")
    filled.index.fault = None
    assert mend(filled).counts.left == 0
    assert counts(look(filled)) == (0, 0, 0)
