"""Slices say which version of the workers they ask for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("slices", sa.Column("version", sa.SmallInteger(), server_default="1", nullable=False))


def downgrade() -> None:
    """Undo."""
    op.drop_column("slices", "version")
