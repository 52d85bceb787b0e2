"""The queue of a repair gives every drift once, in order, and each batch at the same cost however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

from harness.bench import Bench
from sqlalchemy import Connection, event

from models.reconciling import PostgresReconciliation
from models.session import driver_of
from pipeline.reconcile import Drift, PointId
from pipeline.reconcile_ports import Pass
from pipeline.reconciliation import DriftKind


def test_drifts_come_in_batches_in_order_and_none_is_left_out(bench: Bench) -> None:
    ledger = PostgresReconciliation(bench.engine)
    held = ledger.begin(None, is_repair=True, lease_seconds=60.0)
    assert held is not None
    numbers, ids = [0, 3, 2**64 - 1], sorted([UUID(int=3), *(uuid4() for _ in range(6))])
    ledger.save_drifts(held, [Drift(each, None, DriftKind.ORPHAN) for each in (*ids[::-1], *numbers[::-1])])
    ledger.mark_repaired(held, [numbers[1], ids[4]])
    left = [*numbers[:1], *numbers[2:], *ids[:4], *ids[5:]]
    for size in (1, 2, 3, 8, 9):
        found: list[PointId] = []
        while batch := ledger.unrepaired(held, found[-1] if found else None, size):
            found += [each.id for each in batch]
        assert found == left


def test_a_batch_of_drifts_is_read_from_the_index_and_none_is_sorted(bench: Bench) -> None:
    """Sorted, each batch would look at all drifts of the pass."""
    bench.rows(
        "INSERT INTO reconciliations (id, is_repair, state) SELECT gen_random_uuid(), true, 'finished'"
        " FROM generate_series(1, 3)"
    )
    bench.rows(
        "INSERT INTO drifts (id, reconciliation_id, point_id, is_numbered, kind)"
        " SELECT gen_random_uuid(), r.id, gen_random_uuid(), n % 2 = 0, 'missing'"
        " FROM reconciliations r, generate_series(1, 3000) AS n"
    )
    bench.rows("ANALYZE drifts")
    held = Pass(bench.one("SELECT id FROM reconciliations LIMIT 1"), uuid4())
    with explained(bench) as plans:
        for last in (None, 7, UUID(int=7)):
            assert len(PostgresReconciliation(bench.engine).unrepaired(held, last, 256)) == 256
    assert len(plans) == 3
    for plan in plans:
        assert "Sort" not in plan
        assert "Index Scan using uq_drifts_reconciliation_id_is_numbered_point_id" in plan
    assert ["point_id >" in plan for plan in plans] == [False, True, True]


@contextmanager
def explained(bench: Bench) -> Iterator[list[str]]:
    """Collect the plans of the SELECTs that are sent within the block."""
    plans: list[str] = []

    def explain(connection: Connection, _cursor: object, statement: str, values: Any, *_more: object) -> None:
        if statement.startswith("SELECT"):
            cursor = driver_of(connection).execute(f"EXPLAIN {statement}", values)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    event.listen(bench.engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(bench.engine, "before_cursor_execute", explain)
