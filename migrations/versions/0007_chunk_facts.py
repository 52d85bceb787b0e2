"""Chunks get the span of the definition that they are a part of and its facts; documents what they import."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Rows from before know none of it until their document is chunked again; no row is rewritten."""
    op.add_column("chunks", sa.Column("parent_start", sa.BigInteger(), nullable=True))
    op.add_column("chunks", sa.Column("parent_end", sa.BigInteger(), nullable=True))
    op.add_column("chunks", sa.Column("facts", postgresql.JSONB(), nullable=True))
    op.add_column("documents", sa.Column("imports", postgresql.JSONB(), server_default="[]", nullable=False))


def downgrade() -> None:
    """Undo."""
    op.drop_column("documents", "imports")
    for column in ("facts", "parent_end", "parent_start"):
        op.drop_column("chunks", column)
