"""Documents say what kind of file they are and how their lines end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Traits stay unknown (NULL) until a file is read again, which the next ingestion does."""
    op.add_column("documents", sa.Column("traits", sa.ARRAY(sa.Text()), nullable=True))
    op.add_column("documents", sa.Column("newlines", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    """Undo."""
    op.drop_column("documents", "newlines")
    op.drop_column("documents", "traits")
