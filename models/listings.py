"""Read side: pages of runs, of a run's documents and of reconciliations.

A page begins after the last row of the one before it, by a key that never changes. So rows that come or go while
somebody turns the pages neither repeat nor hide another row, and a page far down costs what the first one does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import Connection, Row, RowMapping, text

from models.pausing import HOLD
from pipeline.reconciliation import ReconciliationLine, ReconciliationState
from pipeline.report import RunDocumentLine, RunLine
from pipeline.states import Hold, Outcome, PlanState, RunState, run_state

#: The last row of a page of what is listed newest first: when it was made, and its id.
Moment: TypeAlias = tuple[datetime, UUID]

# What ``pipeline.states.run_state`` says, in SQL; a test holds the two against each other.
_STATE = (
    "CASE WHEN r.plan_state = 'planning' THEN 'planning'"
    " WHEN EXISTS (SELECT 1 FROM run_documents x WHERE x.run_id = r.id AND x.outcome = 'pending')"
    f" THEN CASE {HOLD} WHEN 'paused' THEN 'paused' ELSE 'running' END"
    " WHEN r.cancelled_at IS NOT NULL THEN 'cancelled'"
    " WHEN EXISTS (SELECT 1 FROM run_documents x WHERE x.run_id = r.id AND x.outcome = 'failed') THEN 'failed'"
    " WHEN r.plan_state = 'interrupted' OR r.withheld > 0 THEN 'incomplete' ELSE 'succeeded' END"
)
_RUNS = text(
    "SELECT r.id, r.project, r.source, r.plan_state, r.withheld, r.created_at, r.hold,"
    " (SELECT jsonb_object_agg(outcome, n) FROM (SELECT outcome, count(*) AS n FROM run_documents rd"
    " WHERE rd.run_id = r.id GROUP BY outcome) AS o) AS outcomes FROM (SELECT r.id, p.name AS project,"
    f" s.name AS source, r.plan_state, r.withheld, r.created_at, {HOLD} AS hold FROM runs r"
    " JOIN sources s ON s.id = r.source_id JOIN projects p ON p.id = s.project_id"
    " JOIN tenants t ON t.id = p.tenant_id WHERE t.name = :tenant AND p.name = coalesce(CAST(:project AS text), p.name)"
    f" AND (CAST(:state AS text) IS NULL OR CAST(:state AS text) = {_STATE})"
    " AND (CAST(:at AS timestamptz) IS NULL OR (r.created_at, r.id) < (CAST(:at AS timestamptz), CAST(:id AS uuid)))"
    " ORDER BY r.created_at DESC, r.id DESC LIMIT :limit) AS r ORDER BY r.created_at DESC, r.id DESC"
)
_HAS_RUN = text(
    "SELECT 1 FROM runs r JOIN sources s ON s.id = r.source_id JOIN projects p ON p.id = s.project_id"
    " JOIN tenants t ON t.id = p.tenant_id WHERE r.id = :run AND t.name = :tenant"
)
_RUN_DOCUMENTS = text(
    "SELECT d.id, d.path, rd.action, rd.outcome, d.state, rd.generation, rd.error, rd.message, rd.slice_id,"
    " rd.finished_at FROM run_documents rd JOIN documents d ON d.id = rd.document_id WHERE rd.run_id = :run"
    " AND rd.outcome = coalesce(CAST(:outcome AS text), rd.outcome)"
    " AND (CAST(:after AS uuid) IS NULL OR rd.document_id > CAST(:after AS uuid)) ORDER BY rd.document_id LIMIT :limit"
)
_RECONCILIATIONS = text(
    "SELECT r.id AS reconciliation_id, p.name AS project, r.is_repair, r.state, r.compared, r.scanned, r.drifted,"
    " r.missing, r.orphan, r.stale, r.deferred, r.repaired, r.failed, r.message, r.created_at AS started_at,"
    " r.finished_at, extract(epoch FROM coalesce(r.finished_at, now()) - r.created_at) AS seconds"
    " FROM reconciliations r LEFT JOIN projects p ON p.id = r.project_id"
    " LEFT JOIN tenants t ON t.id = p.tenant_id WHERE (r.project_id IS NULL OR t.name = :tenant)"
    " AND (CAST(:project AS text) IS NULL OR p.name = CAST(:project AS text))"
    " AND (CAST(:at AS timestamptz) IS NULL OR (r.created_at, r.id) < (CAST(:at AS timestamptz), CAST(:id AS uuid)))"
    " ORDER BY r.created_at DESC, r.id DESC LIMIT :limit"
)


def read_runs(
    connection: Connection,
    tenant: str,
    *,
    limit: int,
    project: str | None = None,
    state: RunState | None = None,
    after: Moment | None = None,
) -> list[RunLine]:
    """Return a tenant's runs, newest first."""
    values = {"tenant": tenant, "project": project, "state": state, "limit": limit, **_moment(after)}
    return [_run_line(row) for row in connection.execute(_RUNS, values).all()]


def read_run_documents(
    connection: Connection,
    tenant: str,
    run_id: UUID,
    *,
    limit: int,
    outcome: Outcome | None = None,
    after: UUID | None = None,
) -> list[RunDocumentLine] | None:
    """Return the documents of a run in the order of their ids; None if the tenant has no such run."""
    if connection.execute(_HAS_RUN, {"run": run_id, "tenant": tenant}).one_or_none() is None:
        return None
    values = {"run": run_id, "outcome": outcome, "after": after, "limit": limit}
    return [RunDocumentLine(*row) for row in connection.execute(_RUN_DOCUMENTS, values).all()]


def read_reconciliations(
    connection: Connection, tenant: str, *, limit: int, project: str | None = None, after: Moment | None = None
) -> list[ReconciliationLine]:
    """Return the reconciliations of a tenant's projects and those of the whole index, newest first."""
    values = {"tenant": tenant, "project": project, "limit": limit, **_moment(after)}
    return [_reconciliation_line(row) for row in connection.execute(_RECONCILIATIONS, values).mappings()]


def _moment(after: Moment | None) -> dict[str, object]:
    at, row_id = after or (None, None)
    return {"at": at, "id": row_id}


def _run_line(row: Row[Any]) -> RunLine:
    outcomes = {Outcome(word): count for word, count in (row.outcomes or {}).items()}
    return RunLine(
        run_id=row.id,
        project=row.project,
        source=row.source,
        state=run_state(PlanState(row.plan_state), outcomes, withheld=row.withheld > 0, hold=Hold(row.hold)),
        documents=sum(outcomes.values()),
        failed=outcomes.get(Outcome.FAILED, 0),
        started_at=row.created_at,
    )


def _reconciliation_line(row: RowMapping) -> ReconciliationLine:
    state, seconds = ReconciliationState(row["state"]), round(float(row["seconds"]), 3)
    return ReconciliationLine(**{**row, "state": state, "seconds": seconds})
