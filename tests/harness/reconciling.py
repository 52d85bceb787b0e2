"""Reconciliations on a test's bench, and the drift that they are to find."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from harness.bench import Bench

from models.reconciling import PostgresReconciliation
from pipeline.reconcile_ports import ReconcileContext, ReconcilePolicy
from pipeline.reconciliation import PassReport
from pipeline.types import Point, Scope
from tasks.reconciliation_pass import reconcile


def reconcile_context(bench: Bench, **policy: float) -> ReconcileContext:
    """Return a context over the bench's own stores, with pages so small that every pass has several."""
    values = {"lease_seconds": 60.0, "delete_share": 0.5, "page": 3, "batch": 2} | policy
    return ReconcileContext(
        PostgresReconciliation(bench.engine), bench.index, bench.embedder.model, ReconcilePolicy(**values)
    )


def look(bench: Bench, scope: Scope | None = None) -> PassReport:
    """Run a pass that mends nothing; no other may be running."""
    return run(bench, scope, is_repair=False)


def mend(bench: Bench, scope: Scope | None = None, *, allow_delete: bool = False, **policy: float) -> PassReport:
    """Run a pass that mends; no other may be running."""
    return run(bench, scope, is_repair=True, allow_delete=allow_delete, **policy)


def run(
    bench: Bench, scope: Scope | None, *, is_repair: bool, allow_delete: bool = False, **policy: float
) -> PassReport:
    """Run a pass; no embedding may be bought by it."""
    bought = len(bench.embedder.calls)
    report = reconcile(reconcile_context(bench, **policy), scope, is_repair=is_repair, allow_delete=allow_delete)
    assert report is not None, "another pass is running"
    assert len(bench.embedder.calls) == bought
    return report


def counts(report: PassReport) -> tuple[int, int, int]:
    """Return how many were missing, orphans and stale."""
    return report.counts.missing, report.counts.orphan, report.counts.stale


def change(bench: Bench, point_id: UUID, generation: int | None = None, **payload: object) -> None:
    """Change a point behind everybody's back."""
    point = bench.index.points[point_id]
    newer = point.generation if generation is None else generation
    bench.index.points[point_id] = replace(
        point, generation=newer, payload={**point.payload, "generation": newer, **payload}
    )


def plant_orphans(
    bench: Bench, number: int, scope: Scope | None = None, *, document: UUID | None = None, generation: int = 1
) -> list[UUID]:
    """Write points that no chunk stands for."""
    ids = [uuid4() for _ in range(number)]
    payload = {"document": str(document or uuid4()), "text_hash": "aa", "embed_hash": "bb", "path": "gone.py"}
    vector = bytes(4 * bench.embedder.model.dims)
    bench.index.upsert(scope or bench.source.scope, [Point(each, generation, vector, payload) for each in ids])
    return ids
