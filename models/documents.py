"""Documents, their bytes, and what the stages leave for one another."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Dated
from pipeline.states import DocumentState


class Document(Dated, Base):
    """A file at a path in a source. ``id`` is derived from both, so there is no index over long paths.

    ``generation`` and ``revision`` are the newest accepted ones; the ``committed_`` pair is what ``chunks`` holds;
    ``indexed_generation`` is what was written to the index and read back.
    """

    __tablename__ = "documents"
    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(repr(state.value) for state in DocumentState)})", name="state"),
        CheckConstraint("indexed_generation <= committed_generation", name="indexed_after_commit"),
        CheckConstraint("committed_generation <= generation", name="committed_after_accept"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    source_id: Mapped[UUID] = mapped_column(ForeignKey("sources.id"), index=True)
    path: Mapped[str]
    language: Mapped[str]
    generation: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[bytes | None] = mapped_column(LargeBinary)
    size: Mapped[int] = mapped_column(BigInteger, server_default="0")
    #: File status at the time of hashing; empty where it was too fresh to be trusted.
    stat: Mapped[str] = mapped_column(server_default="")
    #: What kind of file it is; NULL where it was read before that was asked.
    traits: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    newlines: Mapped[str] = mapped_column(server_default="")
    state: Mapped[str]
    committed_generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    committed_revision: Mapped[bytes | None] = mapped_column(LargeBinary)
    encoding: Mapped[str] = mapped_column(server_default="")
    #: The modules that the committed revision imports, as it writes them.
    imports: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    indexed_generation: Mapped[int] = mapped_column(BigInteger, server_default="0")
    #: Versions of outline, chunker and header, and the model, that made the committed chunks.
    versions: Mapped[str] = mapped_column(server_default="")
    error: Mapped[str] = mapped_column(server_default="")
    message: Mapped[str] = mapped_column(server_default="")
    deleted_at: Mapped[datetime | None]


class Blob(Base):
    """A revision's bytes, compressed with zlib, under their SHA-256."""

    __tablename__ = "blobs"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class OutlineRow(Base):
    """What parse left for chunk. It depends on nothing but the bytes, the language and the outline's version."""

    __tablename__ = "outlines"

    sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    nodes: Mapped[int]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ChunkSetRow(Base):
    """What chunk left for embed and upsert: all chunks of a document's generation, with an explicit count."""

    __tablename__ = "chunk_sets"

    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id"), primary_key=True)
    generation: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    count: Mapped[int]
    encoding: Mapped[str]
    data: Mapped[bytes] = mapped_column(LargeBinary)


class ChunkRow(Dated, Base):
    """A committed chunk. ``generation`` is the one that last wrote its point; retired rows await their deletion."""

    __tablename__ = "chunks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    document_id: Mapped[UUID] = mapped_column(ForeignKey("documents.id"), index=True)
    model_id: Mapped[UUID] = mapped_column(ForeignKey("models.id"))
    generation: Mapped[int] = mapped_column(BigInteger)
    ordinal: Mapped[int]
    kind: Mapped[str]
    name: Mapped[str]
    scope: Mapped[list[str]] = mapped_column(JSONB)
    start_byte: Mapped[int] = mapped_column(BigInteger)
    end_byte: Mapped[int] = mapped_column(BigInteger)
    #: The span of the definition that the chunk is a part of; NULL in rows from before it was recorded.
    parent_start: Mapped[int | None] = mapped_column(BigInteger)
    parent_end: Mapped[int | None] = mapped_column(BigInteger)
    start_line: Mapped[int]
    end_line: Mapped[int]
    text_hash: Mapped[bytes] = mapped_column(LargeBinary)
    embed_hash: Mapped[bytes] = mapped_column(LargeBinary)
    #: What ``pipeline.facts.facts_row`` writes; NULL where the language has no facts.
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default="{}")
    retired_at: Mapped[datetime | None]
