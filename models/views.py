"""Read side: what a run did, where a file is, which runs there are. Nothing here changes anything.

Each question is a function of a ``Connection``. ``Views`` asks them over an engine; the API asks the same functions
over asynchronous connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, text

from models.listings import read_runs
from models.pausing import HOLD
from models.session import transaction
from pipeline.report import (
    ChunkCounts,
    DocumentCounts,
    DocumentError,
    EmbeddingCounts,
    PointCounts,
    RunLine,
    RunProgress,
    RunReport,
    SkipCount,
    Whereabouts,
)
from pipeline.states import Hold, Outcome, PlanState, RunState, run_state
from pipeline.types import Scope, Stage

#: Errors that a report lists; the count is always exact.
LISTED_ERRORS = 100

_RUN = text(
    "SELECT r.id, p.name AS project, s.name AS source, r.plan_state, r.seen, r.unchanged, r.skipped, r.withheld,"
    f" r.message, r.is_complete, {HOLD} AS hold,"
    " extract(epoch FROM coalesce((SELECT max(greatest(sl.finished_at, r.planned_at))"
    " FROM slices sl WHERE sl.run_id = r.id AND sl.finished_at IS NOT NULL), r.planned_at, now()) - r.created_at)"
    " AS seconds FROM runs r JOIN sources s ON s.id = r.source_id JOIN projects p ON p.id = s.project_id"
    " JOIN tenants t ON t.id = p.tenant_id WHERE r.id = :run AND t.name = :tenant"
)
_PLAN = text(f"SELECT r.plan_state, r.withheld, {HOLD} AS hold FROM runs r WHERE r.id = :run")
_OUTCOMES = text(
    "SELECT action, is_new, outcome, count(*) AS n FROM run_documents WHERE run_id = :run GROUP BY 1, 2, 3"
)
_SLICES = text(
    "SELECT coalesce(sum(chunks_total), 0) AS total, coalesce(sum(embedding_inputs), 0) AS inputs,"
    " coalesce(sum(embedding_calls), 0) AS calls, coalesce(sum(embedding_tokens), 0) AS tokens,"
    " coalesce(sum(points_written), 0) AS written, coalesce(sum(points_updated), 0) AS updated,"
    " coalesce(sum(points_deleted), 0) AS deleted FROM slices WHERE run_id = :run"
)
_ERRORS = text(
    "SELECT d.path, rd.error, rd.message FROM run_documents rd JOIN documents d ON d.id = rd.document_id"
    " WHERE rd.run_id = :run AND rd.outcome = 'failed' ORDER BY d.path COLLATE \"C\" LIMIT :limit"
)
_PROGRESS = text(
    "SELECT coalesce(s.stage, 'parse') AS stage, rd.outcome, count(*) AS n FROM run_documents rd"
    " LEFT JOIN slices s ON s.id = rd.slice_id WHERE rd.run_id = :run GROUP BY 1, 2"
)
_TROUBLE = text(
    "SELECT error, message FROM slices WHERE run_id = :run AND state <> 'done' AND error <> ''"
    " ORDER BY updated_at DESC LIMIT 1"
)
_WHERE_IS = text(
    "SELECT d.id, d.path, p.name AS project, src.name AS source, d.state, d.language, d.encoding, d.newlines, d.traits,"
    " d.generation, d.indexed_generation, d.imports,"
    " (SELECT count(*) FROM chunks c WHERE c.document_id = d.id AND c.retired_at IS NULL) AS chunks,"
    " rd.run_id, rd.slice_id, rd.outcome, s.stage, s.state AS slice_state, s.attempts, s.worker, s.not_before,"
    " (SELECT l.id FROM dead_letters l WHERE l.document_id = d.id AND l.generation = d.generation"
    " AND l.resolved_at IS NULL LIMIT 1) AS dead_letter_id,"
    f" CASE WHEN rd.outcome = 'pending' THEN (SELECT {HOLD} FROM runs r WHERE r.id = rd.run_id) END AS hold,"
    " coalesce(nullif(d.error, ''), nullif(rd.error, ''), s.error, '') AS error,"
    " coalesce(nullif(d.message, ''), nullif(rd.message, ''), s.message, '') AS message"
    " FROM documents d JOIN sources src ON src.id = d.source_id JOIN projects p ON p.id = d.project_id"
    " LEFT JOIN LATERAL (SELECT x.run_id, x.slice_id, x.outcome, x.error, x.message FROM run_documents x"
    " WHERE x.document_id = d.id ORDER BY x.generation DESC, x.finished_at DESC NULLS FIRST LIMIT 1) rd ON true"
    " LEFT JOIN slices s ON s.id = rd.slice_id WHERE d.id = ANY(CAST(:ids AS uuid[])) AND p.tenant_id = :tenant"
    " AND p.id = coalesce(CAST(:project AS uuid), p.id)"
)
_OTHER_VERSIONS = text(
    "SELECT d.versions FROM run_documents rd JOIN documents d ON d.id = rd.document_id"
    " AND d.indexed_generation = rd.generation WHERE rd.run_id = :run AND rd.outcome = 'indexed'"
    " AND d.versions <> :versions LIMIT 1"
)

_NEXT = {
    "ready": "the dispatcher sends it as soon as the workers have room for it",
    "dispatched": "a worker takes it; if none does, it is sent again",
    "running": "the worker finishes it; if the worker dies, it is taken over when its lease ends",
}


class Views:
    """Answers questions about runs and documents."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def report(self, tenant: str, run_id: UUID, model: str) -> RunReport | None:
        """Return everything about a run; None if the tenant has no such run."""
        with transaction(self._engine) as connection:
            return read_report(connection, tenant, run_id, model)

    def progress(self, run_id: UUID) -> RunProgress | None:
        """Return how far a run is; None if there is no such run."""
        with transaction(self._engine) as connection:
            run = connection.execute(_PLAN, {"run": run_id}).one_or_none()
            if run is None:
                return None
            rows = connection.execute(_PROGRESS, {"run": run_id}).all()
            trouble = connection.execute(_TROUBLE, {"run": run_id}).one_or_none()
        by_stage = dict.fromkeys((stage.value for stage in Stage), 0)
        outcomes: dict[Outcome, int] = {}
        for row in rows:
            outcomes[Outcome(row.outcome)] = outcomes.get(Outcome(row.outcome), 0) + row.n
            if row.outcome == Outcome.PENDING:
                by_stage[row.stage] += row.n
        pending = outcomes.get(Outcome.PENDING, 0)
        state = _state(run, outcomes)
        finished = sum(outcomes.values()) - pending
        return RunProgress(state, pending, finished, by_stage, *(trouble or ("", "")))

    def other_versions(self, run_id: UUID, versions: str) -> str:
        """Return by which other versions and model the workers indexed documents of a run; empty if by none."""
        with transaction(self._engine) as connection:
            found = connection.execute(_OTHER_VERSIONS, {"run": run_id, "versions": versions}).scalar()
        return str(found or "")

    def runs(self, tenant: str, limit: int = 20) -> list[RunLine]:
        """Return the tenant's latest runs, newest first."""
        with transaction(self._engine) as connection:
            return read_runs(connection, tenant, limit=limit)

    def whereabouts(self, scope: Scope, document_ids: Sequence[UUID]) -> list[Whereabouts]:
        """Return where these documents are; unknown ids are absent."""
        with transaction(self._engine) as connection:
            return read_whereabouts(connection, scope.tenant_id, document_ids, scope.project_id)


def read_report(connection: Connection, tenant: str, run_id: UUID, model: str) -> RunReport | None:
    """Return everything about a run; None if the tenant has no such run."""
    run = connection.execute(_RUN, {"run": run_id, "tenant": tenant}).one_or_none()
    return None if run is None else _report(connection, run, model)


def read_whereabouts(
    connection: Connection, tenant_id: UUID, document_ids: Sequence[UUID], project_id: UUID | None = None
) -> list[Whereabouts]:
    """Return where these documents of a tenant, or of one of its projects, are; unknown ids are absent."""
    values = {"ids": list(document_ids), "tenant": tenant_id, "project": project_id}
    return [_whereabouts(row) for row in connection.execute(_WHERE_IS, values).all()]


def _report(connection: Connection, run: Row[Any], model: str) -> RunReport:
    rows = connection.execute(_OUTCOMES, {"run": run.id}).all()
    slices = connection.execute(_SLICES, {"run": run.id}).one()
    errors = connection.execute(_ERRORS, {"run": run.id, "limit": LISTED_ERRORS}).all()
    by_outcome: dict[Outcome, int] = {}
    for row in rows:
        by_outcome[Outcome(row.outcome)] = by_outcome.get(Outcome(row.outcome), 0) + row.n
    return RunReport(
        run_id=run.id,
        project=run.project,
        source=run.source,
        state=_state(run, by_outcome),
        documents=_documents(run, rows, by_outcome),
        chunks=ChunkCounts(slices.total, slices.inputs, max(0, slices.total - slices.inputs)),
        points=PointCounts(slices.written, slices.updated, slices.deleted),
        embedding=EmbeddingCounts(model, slices.calls, slices.inputs, int(slices.tokens)),
        seconds=round(float(run.seconds), 3),
        errors=tuple(DocumentError(*row) for row in errors),
        skipped=tuple(SkipCount(reason, count) for reason, count in sorted(run.skipped.items())),
        message=run.message,
    )


def _state(run: Row[Any], outcomes: dict[Outcome, int]) -> RunState:
    return run_state(PlanState(run.plan_state), outcomes, withheld=run.withheld > 0, hold=Hold(run.hold))


def _documents(run: Row[Any], rows: Sequence[Row[Any]], outcomes: dict[Outcome, int]) -> DocumentCounts:
    return DocumentCounts(
        seen=run.seen,
        new=sum(row.n for row in rows if row.action == "index" and row.is_new),
        changed=sum(row.n for row in rows if row.action == "index" and not row.is_new),
        unchanged=run.unchanged,
        skipped=sum(run.skipped.values()),
        deleted=outcomes.get(Outcome.DELETED, 0),
        superseded=outcomes.get(Outcome.SUPERSEDED, 0),
        indexed=outcomes.get(Outcome.INDEXED, 0),
        failed=outcomes.get(Outcome.FAILED, 0),
        cancelled=outcomes.get(Outcome.CANCELLED, 0),
    )


def _whereabouts(row: Row[Any]) -> Whereabouts:
    pending = row.outcome == Outcome.PENDING
    return Whereabouts(
        document_id=row.id,
        path=row.path,
        project=row.project,
        source=row.source,
        state=row.state,
        language=row.language,
        encoding=row.encoding,
        newlines=row.newlines,
        traits=tuple(row.traits or ()),
        generation=row.generation,
        indexed_generation=row.indexed_generation,
        chunks=row.chunks,
        imports=tuple(row.imports),
        run_id=row.run_id,
        slice_id=row.slice_id,
        stage=row.stage or "" if pending else "",
        slice_state=row.slice_state or "" if pending else "",
        attempts=row.attempts or 0 if pending else 0,
        holder=row.worker if pending and row.slice_state == "running" else "",
        error=row.error,
        message=row.message,
        next_action=_next_action(row, pending=pending),
        dead_letter_id=row.dead_letter_id,
    )


def _next_action(row: Row[Any], *, pending: bool) -> str:
    if row.dead_letter_id is not None:
        return f"none: it is given up; `mobius dead-letters show {row.dead_letter_id}` says why, `retry` tries it again"
    if row.state == "cancelled":
        return "none: its run was cancelled; ingest it again"
    if row.hold == Hold.PAUSED:
        return f"none before `mobius runs resume {row.run_id}`, or `mobius resume` for the fleet"
    if not pending:
        return "none: repair the cause and ingest it again" if row.state == "failed" else "none"
    if row.slice_state == "ready" and row.not_before is not None:
        return f"it is tried again after {row.not_before:%Y-%m-%d %H:%M:%S %Z}"
    return _NEXT.get(row.slice_state, "none")
