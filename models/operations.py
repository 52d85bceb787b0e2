"""What operators look at: dead letters, reconciliations and the drifts they found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Dated
from pipeline.reconciliation import ReconciliationState


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
    #: Where the stage was when it failed the last time, as far as that is known.
    trace: Mapped[str] = mapped_column(server_default="")
    #: When an operator took care of it, and how: ``retried`` or ``dropped``.
    resolved_at: Mapped[datetime | None]
    resolution: Mapped[str] = mapped_column(server_default="")


class Reconciliation(Dated, Base):
    """One pass over ledger and index; ``project_id`` is None for the whole index. At most one is running.

    The right to run is a lease: ``owner`` is fresh for every pass, ``lease_until`` moves on with every page.
    """

    __tablename__ = "reconciliations"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in ReconciliationState)})", name="state"),
        CheckConstraint("(state = 'running') = (owner IS NOT NULL)", name="owner"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease"),
        Index("uq_reconciliations_running", "state", unique=True, postgresql_where=text("state = 'running'")),
        Index("ix_reconciliations_created_at", "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID | None] = mapped_column(ForeignKey("projects.id"))
    is_repair: Mapped[bool]
    state: Mapped[str] = mapped_column(server_default=ReconciliationState.FINISHED.value)
    owner: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    compared: Mapped[int] = mapped_column(BigInteger, server_default="0")
    scanned: Mapped[int] = mapped_column(BigInteger, server_default="0")
    drifted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    missing: Mapped[int] = mapped_column(BigInteger, server_default="0")
    orphan: Mapped[int] = mapped_column(BigInteger, server_default="0")
    stale: Mapped[int] = mapped_column(BigInteger, server_default="0")
    deferred: Mapped[int] = mapped_column(BigInteger, server_default="0")
    repaired: Mapped[int] = mapped_column(BigInteger, server_default="0")
    failed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    message: Mapped[str] = mapped_column(server_default="")
    finished_at: Mapped[datetime | None]


class Drift(Dated, Base):
    """One disagreement between ledger and index: also the queue of what a pass has to mend.

    ``document_id`` is what the chunk or the point says, so there may be no such document.
    """

    __tablename__ = "drifts"
    __table_args__ = (UniqueConstraint("reconciliation_id", "is_numbered", "point_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    reconciliation_id: Mapped[UUID] = mapped_column(ForeignKey("reconciliations.id"))
    point_id: Mapped[UUID]
    #: The point's id is a number, which ``point_id`` holds in its lowest bits; nothing of ours writes such points.
    is_numbered: Mapped[bool] = mapped_column(server_default="false")
    document_id: Mapped[UUID | None]
    kind: Mapped[str]
    repaired_at: Mapped[datetime | None]
