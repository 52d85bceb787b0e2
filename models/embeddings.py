"""Embedding models and their vectors, shared by every chunk with the same embedding input."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Dated


class Model(Dated, Base):
    """An embedding model whose vectors the ledger holds."""

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("provider", "name", "dims"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[str]
    name: Mapped[str]
    dims: Mapped[int]
    header_version: Mapped[int]


class Embedding(Base):
    """The vector of one embedding input, or the claim of the slice that is about to buy it."""

    __tablename__ = "embeddings"
    __table_args__ = (
        CheckConstraint("(vector IS NULL) = (claimed_by IS NOT NULL)", name="bought_or_claimed"),
        Index("ix_embeddings_claimed_by", "claimed_by", postgresql_where=text("vector IS NULL")),
    )

    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id"), primary_key=True)
    embed_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    #: No fixed dimension: rows of different models stand in one table.
    vector: Mapped[Any | None] = mapped_column(VECTOR())
    #: The slice that is buying it. The claim lives exactly as long as that slice's lease.
    claimed_by: Mapped[UUID | None]
