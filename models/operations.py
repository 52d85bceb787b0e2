"""What operators look at: dead letters, reconciliations and the drifts they found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Dated


class DeadLetter(Dated, Base):
    """A document given up on: why, after how many attempts, and where it last ran."""

    __tablename__ = "dead_letters"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id"), index=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"))
    generation: Mapped[int] = mapped_column(BigInteger)
    stage: Mapped[str]
    attempts: Mapped[int]
    worker: Mapped[str]
    error: Mapped[str]
    message: Mapped[str]
    resolved_at: Mapped[datetime | None]


class Reconciliation(Dated, Base):
    """One pass over ledger and index."""

    __tablename__ = "reconciliations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"))
    is_repair: Mapped[bool]
    compared: Mapped[int] = mapped_column(BigInteger, server_default="0")
    drifted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    repaired: Mapped[int] = mapped_column(BigInteger, server_default="0")
    message: Mapped[str] = mapped_column(server_default="")
    finished_at: Mapped[datetime | None]


class Drift(Dated, Base):
    """One disagreement between ledger and index."""

    __tablename__ = "drifts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reconciliation_id: Mapped[UUID] = mapped_column(ForeignKey("reconciliations.id"), index=True)
    point_id: Mapped[UUID]
    kind: Mapped[str]
    repaired_at: Mapped[datetime | None]
