"""Chunks get the span of the definition that they are a part of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Rows from before keep no parent until their document is chunked again; no row is rewritten."""
    op.add_column("chunks", sa.Column("parent_start", sa.BigInteger(), nullable=True))
    op.add_column("chunks", sa.Column("parent_end", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("chunks", "parent_end")
    op.drop_column("chunks", "parent_start")
