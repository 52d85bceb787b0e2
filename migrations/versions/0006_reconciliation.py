"""Reconciliations get a state, a lease and their counts; drifts what finds their documents."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COUNTS = ("scanned", "missing", "orphan", "stale", "deferred", "failed")
_STATES = "state IN ('running', 'finished', 'refused', 'failed', 'interrupted')"
_DRIFT_KEY = "uq_drifts_reconciliation_id_is_numbered_point_id"


def upgrade() -> None:
    """Apply. The version before this one writes to neither table."""
    _extend_reconciliations()
    _extend_drifts()


def downgrade() -> None:
    """Undo."""
    op.create_index(op.f("ix_drifts_reconciliation_id"), "drifts", ["reconciliation_id"], unique=False)
    op.drop_constraint(op.f(_DRIFT_KEY), "drifts", type_="unique")
    for column in ("document_id", "is_numbered"):
        op.drop_column("drifts", column)
    op.drop_index("ix_reconciliations_created_at", "reconciliations")
    op.drop_index("uq_reconciliations_running", "reconciliations")
    for constraint in ("lease", "owner", "state"):
        op.drop_constraint(op.f(f"ck_reconciliations_{constraint}"), "reconciliations", type_="check")
    for column in (*_COUNTS, "lease_until", "owner", "state"):
        op.drop_column("reconciliations", column)


def _extend_reconciliations() -> None:
    # A row from before can only be one that has ended.
    columns: list[sa.Column[Any]] = [
        sa.Column("state", sa.Text(), server_default="finished", nullable=False),
        sa.Column("owner", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.BigInteger(), server_default="0", nullable=False) for name in _COUNTS),
    ]
    for column in columns:
        op.add_column("reconciliations", column)
    checks = {
        "state": _STATES,
        "owner": "(state = 'running') = (owner IS NOT NULL)",
        "lease": "(state = 'running') = (lease_until IS NOT NULL)",
    }
    for name, condition in checks.items():
        op.create_check_constraint(op.f(f"ck_reconciliations_{name}"), "reconciliations", condition)
    op.create_index(
        "uq_reconciliations_running",
        "reconciliations",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_reconciliations_created_at", "reconciliations", ["created_at"], unique=False)


def _extend_drifts() -> None:
    op.add_column("drifts", sa.Column("is_numbered", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("drifts", sa.Column("document_id", sa.Uuid(), nullable=True))
    op.create_unique_constraint(op.f(_DRIFT_KEY), "drifts", ["reconciliation_id", "is_numbered", "point_id"])
    op.drop_index(op.f("ix_drifts_reconciliation_id"), "drifts")
