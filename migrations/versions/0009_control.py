"""Runs and the fleet can be paused, runs cancelled; losses are told from crashes; dead letters keep a trace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

#: Table, constraint, and the words before and after.
_WORDS = (
    ("slices", "state", "'ready', 'dispatched', 'running', 'done', 'failed'"),
    ("documents", "state", "'pending', 'indexed', 'failed', 'deleting', 'deleted'"),
    ("run_documents", "outcome", "'pending', 'indexed', 'deleted', 'failed', 'superseded'"),
)


def upgrade() -> None:
    """Apply. Everything has a default, so the version before this one goes on working beside it."""
    for table, column, words in _WORDS:
        _set_words(table, column, f"{words}, 'cancelled'")
    for name in ("paused_at", "cancelled_at"):
        op.add_column("runs", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("slices", sa.Column("losses", sa.Integer(), server_default="0", nullable=False))
    lapsed: sa.Column[list[str]] = sa.Column("lapsed", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    op.add_column("slices", lapsed)
    op.add_column("slices", sa.Column("trace", sa.Text(), server_default="", nullable=False))
    for name in ("trace", "resolution"):
        op.add_column("dead_letters", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.create_table(
        "fleet_pauses",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_fleet_pauses_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fleet_pauses")),
    )


def downgrade() -> None:
    """Undo. What was cancelled becomes what the version before this one would have made of it: failed."""
    op.drop_table("fleet_pauses")
    for name in ("resolution", "trace"):
        op.drop_column("dead_letters", name)
    for name in ("trace", "lapsed", "losses"):
        op.drop_column("slices", name)
    for name in ("cancelled_at", "paused_at"):
        op.drop_column("runs", name)
    for table, column, words in _WORDS:
        found = sa.table(table, sa.column(column))
        op.execute(found.update().where(found.c[column] == "cancelled").values({column: "failed"}))
        _set_words(table, column, words)


def _set_words(table: str, column: str, words: str) -> None:
    name = op.f(f"ck_{table}_{column}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"{column} IN ({words})")
