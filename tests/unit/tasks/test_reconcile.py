"""A pass judges under claims, mends what it recorded, keeps its lease, and says how it ended, whatever ended it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from kombu.transport.memory import Channel

from pipeline.errors import MisconfiguredError, ServiceUnavailable
from pipeline.reconcile import CommittedPoint, ExpectedPoint, point_of
from pipeline.reconcile_ports import ReconcileContext, ReconcilePolicy, ReconciliationLost
from pipeline.reconciliation import PassReport, ReconciliationState
from pipeline.testing import FakeIndex, FakeReconciliation, hashed_vector
from pipeline.types import Chunk, DocumentRef, EmbeddingModel, Point, Scope
from tasks.base import IngestApp, StageContext
from tasks.reconcile import reconcile_everything
from tasks.reconciliation_pass import reconcile

MODEL = EmbeddingModel("testing", "fake", 4)
SCOPE, SOURCE = Scope(UUID(int=1), UUID(int=2)), UUID(int=3)
TEXT = b"def f(): "


class Stores:
    """A ledger and an index that agree on twenty chunks of four documents, until a test changes one of them."""

    def __init__(self) -> None:
        self.ledger, self.index = FakeReconciliation(blobs={b"revision": TEXT}), FakeIndex(MODEL)
        self.ids = [UUID(int=1000 + number) for number in range(20)]
        for number, each in enumerate(self.ids):
            embed_hash = str(number).encode()
            self.ledger.known_vectors[embed_hash] = hashed_vector(str(number), 4)
            self.ledger.committed[each] = chunk = committed(each, UUID(int=100 + number % 4), embed_hash)
            self.index.upsert(SCOPE, [point_of(chunk, self.ledger.known_vectors, TEXT)])
        self.index.written.clear()

    @property
    def context(self) -> ReconcileContext:
        policy = ReconcilePolicy(lease_seconds=60.0, delete_share=0.25, page=3, batch=4)
        return ReconcileContext(self.ledger, self.index, MODEL, policy)

    def run(self, **options: bool) -> PassReport:
        report = reconcile(self.context, None, **{"is_repair": True, **options})
        assert report is not None
        return report


def committed(point_id: UUID, document_id: UUID, embed_hash: bytes) -> CommittedPoint:
    chunk = Chunk(point_id, 0, 0, 9, 1, 2, "function", "f", (), (), (), b"text", embed_hash, 0, 9)
    document = DocumentRef(document_id, "a.py", "python", 3, b"revision")
    return CommittedPoint(
        ExpectedPoint(point_id, document_id, SCOPE, 3, b"text", embed_hash), SOURCE, document, chunk, "utf-8"
    )


@pytest.fixture
def stores() -> Stores:
    return Stores()


def test_a_pass_over_stores_that_agree_claims_nothing(stores: Stores) -> None:
    report = stores.run()
    assert (report.counts.compared, report.counts.scanned, report.counts.drifted) == (20, 20, 0)
    assert stores.ledger.claims == []
    assert stores.index.written == []


def test_what_a_repair_mended_the_next_pass_finds_in_order(stores: Stores) -> None:
    for each in stores.ids[::3]:
        del stores.index.points[each]
    stores.index.points[9] = Point(uuid4(), 1, b"", {})
    assert stores.run(is_repair=False).counts.left == 8
    assert stores.index.written == []
    report = stores.run()
    assert (report.counts.missing, report.counts.orphan, report.counts.repaired) == (7, 1, 8)
    assert stores.ledger.repaired == {*stores.ids[::3], 9}
    assert stores.run().counts.drifted == 0


def test_suspects_are_judged_in_batches_and_documents_that_others_hold_one_by_one(stores: Stores) -> None:
    stores.index.drop()
    stores.ledger.held = {UUID(int=101), UUID(int=102)}
    report = stores.run(is_repair=False)
    assert report.counts.missing == 20
    assert [claim for claim in stores.ledger.claims if not claim[1]] == [(4, False)] * 5
    assert [claim for claim in stores.ledger.claims if claim[1]] == [(1, True)] * 10


def test_what_is_in_flight_is_counted_as_deferred_and_left_alone(stores: Stores) -> None:
    written_ahead = replace(stores.index.points[stores.ids[0]], generation=4)
    stores.ledger.pending[UUID(int=100)] = frozenset({4})
    payload = {**written_ahead.payload, "generation": 4}
    stores.index.points[stores.ids[0]] = replace(written_ahead, payload=payload)
    report = stores.run()
    assert (report.counts.drifted, report.counts.deferred) == (0, 1)
    assert stores.index.points[stores.ids[0]].generation == 4


def test_without_a_vector_nothing_is_touched_and_the_document_is_outdated(stores: Stores) -> None:
    del stores.index.points[stores.ids[5]]
    stores.ledger.known_vectors.clear()
    report = stores.run()
    assert (report.counts.failed, report.counts.left) == (1, 1)
    assert "run `mobius ingest` again" in report.message
    assert stores.ledger.outdated == {UUID(int=101)}


def test_without_its_documents_bytes_a_point_is_not_written_either(stores: Stores) -> None:
    del stores.index.points[stores.ids[5]]
    stores.ledger.blobs.clear()
    assert stores.run().counts.left == 1
    assert stores.ledger.outdated == {UUID(int=101)}
    assert stores.index.written == []


def test_a_refused_repair_changes_nothing_at_all(stores: Stores) -> None:
    orphans = {UUID(int=number): Point(UUID(int=number), 1, b"", {}) for number in range(11)}
    stores.index.points |= orphans
    del stores.index.points[stores.ids[0]]
    before = dict(stores.index.points)
    report = stores.run()
    assert report.state is ReconciliationState.REFUSED
    assert (report.counts.drifted, report.counts.repaired) == (12, 0)
    assert stores.index.points == before
    assert stores.run(allow_delete=True).counts.left == 0


def test_where_another_pass_is_running_nothing_happens(stores: Stores) -> None:
    stores.ledger.begin(None, is_repair=True, lease_seconds=60.0)
    assert reconcile(stores.context, None, is_repair=True) is None


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (ServiceUnavailable("Qdrant"), ReconciliationState.FAILED),
        (MisconfiguredError("the wrong model"), ReconciliationState.FAILED),
        (ZeroDivisionError("a fault of ours"), ReconciliationState.FAILED),
        (KeyboardInterrupt(), ReconciliationState.INTERRUPTED),
        (SystemExit(130), ReconciliationState.INTERRUPTED),
    ],
)
def test_whatever_ends_a_pass_is_recorded_and_leaves_the_way_free(
    stores: Stores, fault: BaseException, state: ReconciliationState
) -> None:
    stores.ledger.fault = fault
    with pytest.raises(type(fault)):
        stores.run()
    assert [end[0] for end in stores.ledger.ends] == [state]
    assert stores.run().state is ReconciliationState.FINISHED


def test_a_pass_that_lost_its_lease_writes_nothing_more(stores: Stores) -> None:
    stores.index.drop()
    stores.ledger.fault = ReconciliationLost()
    report = stores.run()
    assert report.state is ReconciliationState.INTERRUPTED
    assert (stores.index.written, stores.ledger.ends) == ([], [])


@pytest.fixture
def app(context: StageContext, stores: Stores) -> Iterator[IngestApp]:
    Channel.queues.clear()
    made = IngestApp(
        "test",
        build_context=lambda: replace(context, reconcile=stores.context),
        broker="memory://",
        set_as_current=False,
    )
    yield made
    made.close()
    Channel.queues.clear()


def test_a_tick_of_beat_mends(app: IngestApp, stores: Stores) -> None:
    del stores.index.points[stores.ids[0]]
    assert app.tasks[reconcile_everything.name]() == {"state": "finished", "drifted": 1, "repaired": 1}
    assert stores.ids[0] in stores.index.points


def test_a_tick_while_a_pass_is_running_ends_quietly(app: IngestApp, stores: Stores) -> None:
    stores.ledger.begin(None, is_repair=True, lease_seconds=60.0)
    assert app.tasks[reconcile_everything.name]() == {"state": "skipped"}


def test_nothing_that_a_reconciliation_is_given_can_embed(stores: Stores) -> None:
    assert set(ReconcileContext.__dataclass_fields__) == {"ledger", "index", "model", "policy"}
