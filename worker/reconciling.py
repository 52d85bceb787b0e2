"""Join settings to what a reconciliation works with, for its task and for ``mobius reconcile``."""

from __future__ import annotations

from sqlalchemy import Engine

from models.reconciling import PostgresReconciliation
from pipeline.ports import Index
from pipeline.reconcile_ports import ReconcileContext, ReconcilePolicy
from pipeline.types import EmbeddingModel
from worker.settings import Settings


def reconcile_context(settings: Settings, engine: Engine, index: Index, model: EmbeddingModel) -> ReconcileContext:
    """Return what a reconciliation works with; there is no embedder in it."""
    policy = ReconcilePolicy(
        # A page waits for the index longer than a stage waits between two heartbeats.
        lease_seconds=3 * settings.lease_seconds,
        delete_share=settings.reconcile_delete_share,
    )
    return ReconcileContext(PostgresReconciliation(engine), index, model, policy)
