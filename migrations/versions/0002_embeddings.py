"""Embedding models and their vectors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from pgvector.sqlalchemy import VECTOR

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _create_models()
    _create_embeddings()


def downgrade() -> None:
    """Undo."""
    op.drop_table("embeddings")
    op.drop_table("models")


def _create_models() -> None:
    op.create_table(
        "models",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dims", sa.Integer(), nullable=False),
        sa.Column("header_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_models")),
        sa.UniqueConstraint("provider", "name", "dims", name=op.f("uq_models_provider_name_dims")),
    )


def _create_embeddings() -> None:
    op.create_table(
        "embeddings",
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("embed_hash", sa.LargeBinary(), nullable=False),
        sa.Column("vector", VECTOR(), nullable=True),
        sa.Column("claimed_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint("(vector IS NULL) = (claimed_by IS NOT NULL)", name=op.f("ck_embeddings_bought_or_claimed")),
        sa.ForeignKeyConstraint(["model_id"], ["models.id"], name=op.f("fk_embeddings_model_id")),
        sa.PrimaryKeyConstraint("model_id", "embed_hash", name=op.f("pk_embeddings")),
    )
    op.create_index(
        "ix_embeddings_claimed_by",
        "embeddings",
        ["claimed_by"],
        unique=False,
        postgresql_where=sa.text("vector IS NULL"),
    )
