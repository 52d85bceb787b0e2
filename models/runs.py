"""Runs, slices and what a run did to each document."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Dated
from pipeline.states import Outcome, PlanState, SliceState
from pipeline.types import Action, Stage


def one_of(column: str, words: type[Stage] | type[SliceState] | type[Outcome] | type[PlanState] | type[Action]) -> str:
    """Return the SQL condition that a column holds one of an enumeration's words."""
    return f"{column} IN ({', '.join(repr(word.value) for word in words)})"


class Run(Dated, Base):
    """One ingestion request over a source. Its state is derived (see ``pipeline.states.run_state``)."""

    __tablename__ = "runs"
    __table_args__ = (CheckConstraint(one_of("plan_state", PlanState), name="plan_state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("sources.id"), index=True)
    priority: Mapped[int] = mapped_column(SmallInteger)
    plan_state: Mapped[str]
    planned_at: Mapped[datetime | None]
    #: How many files the walk met, kept as they were, and skipped (by reason).
    seen: Mapped[int] = mapped_column(BigInteger, server_default="0")
    unchanged: Mapped[int] = mapped_column(BigInteger, server_default="0")
    skipped: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    #: Deletions that were not made because the walk was incomplete or lost too much, and why.
    withheld: Mapped[int] = mapped_column(BigInteger, server_default="0")
    message: Mapped[str] = mapped_column(server_default="")
    is_complete: Mapped[bool] = mapped_column(server_default="false")
    #: What operators asked for; no slice of such a run is sent or claimed.
    paused_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]


class FleetPause(Base):
    """There is one row, or none: then the fleet works."""

    __tablename__ = "fleet_pauses"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    paused_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Slice(Dated, Base):
    """A bounded group of documents that travels the stages as one chain; also the outbox row of its message."""

    __tablename__ = "slices"
    __table_args__ = (
        CheckConstraint(one_of("stage", Stage), name="stage"),
        CheckConstraint(one_of("state", SliceState), name="state"),
        CheckConstraint("(state = 'running') = (owner IS NOT NULL)", name="owner"),
        CheckConstraint("(state = 'running') = (lease_until IS NOT NULL)", name="lease"),
        Index("ix_slices_ready", "priority", "created_at", postgresql_where=text("state = 'ready'")),
        Index("ix_slices_ready_age", "created_at", postgresql_where=text("state = 'ready'")),
        Index("ix_slices_in_flight", "state", postgresql_where=text("state IN ('dispatched', 'running')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), index=True)
    stage: Mapped[str]
    seq: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str]
    priority: Mapped[int] = mapped_column(SmallInteger)
    owner: Mapped[UUID | None]
    #: Which worker process holds it or held it last: ``host:pid``.
    worker: Mapped[str] = mapped_column(server_default="")
    lease_until: Mapped[datetime | None]
    #: Ends of this stage that were the slice's doing, and ends that nothing speaks for: lost, not crashed.
    attempts: Mapped[int] = mapped_column(server_default="0")
    losses: Mapped[int] = mapped_column(server_default="0")
    #: The worker processes whose lease on this stage ended without a word; what is heard of them later counts.
    lapsed: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    #: When it is tried again; of a cancelled one: when what it has reserved is free, though its worker is silent.
    not_before: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: The last trouble, kept for `mobius why`; empty where there was none.
    error: Mapped[str] = mapped_column(server_default="")
    message: Mapped[str] = mapped_column(server_default="")
    trace: Mapped[str] = mapped_column(server_default="")
    chunks_total: Mapped[int] = mapped_column(server_default="0")
    embedding_calls: Mapped[int] = mapped_column(server_default="0")
    embedding_inputs: Mapped[int] = mapped_column(server_default="0")
    embedding_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    points_written: Mapped[int] = mapped_column(server_default="0")
    points_updated: Mapped[int] = mapped_column(server_default="0")
    points_deleted: Mapped[int] = mapped_column(server_default="0")
    #: What it asks of a worker; ``pipeline.intake.SLICE_VERSION``.
    version: Mapped[int] = mapped_column(SmallInteger, server_default="1")


class RunDocument(Base):
    """What one run is to do to one document, at which generation, and how it ended."""

    __tablename__ = "run_documents"
    __table_args__ = (
        CheckConstraint(one_of("action", Action), name="action"),
        CheckConstraint(one_of("outcome", Outcome), name="outcome"),
        Index("ix_run_documents_run_id_outcome", "run_id", "outcome"),
        Index("ix_run_documents_document_id", "document_id"),
        Index("ix_run_documents_slice_id", "slice_id"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    slice_id: Mapped[UUID | None] = mapped_column(ForeignKey("slices.id"))
    action: Mapped[str]
    is_new: Mapped[bool]
    generation: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[bytes | None] = mapped_column(LargeBinary)
    outcome: Mapped[str]
    error: Mapped[str] = mapped_column(server_default="")
    message: Mapped[str] = mapped_column(server_default="")
    finished_at: Mapped[datetime | None]
