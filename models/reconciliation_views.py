"""Read side of the reconciliations: which passes there were, and what each found. Nothing here changes anything."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, text

from models.session import transaction
from pipeline.reconciliation import ReconciliationLine, ReconciliationState

_LATEST = text(
    "SELECT r.id AS reconciliation_id, p.name AS project, r.is_repair, r.state, r.compared, r.scanned, r.missing,"
    " r.orphan, r.stale, r.deferred, r.repaired, r.failed, r.message, r.created_at AS started_at, r.finished_at,"
    " extract(epoch FROM coalesce(r.finished_at, now()) - r.created_at) AS seconds FROM reconciliations r"
    " LEFT JOIN projects p ON p.id = r.project_id LEFT JOIN tenants t ON t.id = p.tenant_id"
    " WHERE (r.project_id IS NULL OR t.name = :tenant)"
    " AND (CAST(:before AS timestamptz) IS NULL OR r.created_at < :before)"
    " ORDER BY r.created_at DESC, r.id DESC LIMIT :limit"
)


class ReconciliationViews:
    """Answers questions about reconciliations."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def latest(self, tenant: str, limit: int = 20, before: datetime | None = None) -> list[ReconciliationLine]:
        """Return the passes over the tenant's projects and over the whole index, newest first.

        ``before`` takes the ``started_at`` of the last line of the page before.

        Raises:
            ServiceUnavailable: Postgres does not answer.
        """
        values = {"tenant": tenant, "limit": limit, "before": before}
        with transaction(self._engine) as connection:
            rows = connection.execute(_LATEST, values).mappings().all()
        return [
            ReconciliationLine(
                **{
                    **row,
                    "state": ReconciliationState(row["state"]),
                    "seconds": round(float(row["seconds"]), 3),
                }
            )
            for row in rows
        ]
