"""Read side: what the ledger knows of one slice."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.report import SliceReport

_SLICE = text(
    "SELECT s.id, s.run_id, p.name, src.name, s.stage, s.seq, s.state, s.attempts, s.worker, s.lease_until,"
    " s.not_before, s.dispatched_at, s.finished_at, s.error, s.message FROM slices s JOIN runs r ON r.id = s.run_id"
    " JOIN sources src ON src.id = r.source_id JOIN projects p ON p.id = src.project_id"
    " JOIN tenants t ON t.id = p.tenant_id WHERE s.id = :slice AND t.name = :tenant"
)


def read_slice(connection: Connection, tenant: str, slice_id: UUID) -> SliceReport | None:
    """Return a slice; None if the tenant has no such slice."""
    row = connection.execute(_SLICE, {"slice": slice_id, "tenant": tenant}).one_or_none()
    return None if row is None else SliceReport(*row)
