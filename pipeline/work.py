"""What the ledger hands each stage for one document, and what a stage leaves behind.

Content stays packed until the stage that needs it unpacks it; ``None`` always means *absent*, never *empty*.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from pipeline.types import Action, DocumentRef
from pipeline.upsert import CommittedChunk


@dataclass(frozen=True, slots=True)
class ParseWork:
    """A revision without an outline yet."""

    document: DocumentRef
    data: bytes


@dataclass(frozen=True, slots=True)
class OutlineMade:
    """A packed outline of one revision; it serves every document with the same bytes and language."""

    revision: bytes
    language: str
    nodes: int
    packed: bytes


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """A revision to chunk. ``outline`` is None where only another version of it is stored."""

    document: DocumentRef
    data: bytes
    outline: bytes | None


@dataclass(frozen=True, slots=True)
class ChunksMade:
    """The packed chunk set of one document. ``encoding`` is how its bytes become text."""

    document: DocumentRef
    count: int
    encoding: str
    packed: bytes


@dataclass(frozen=True, slots=True)
class EmbedWork:
    """A chunk set whose embedding inputs are needed."""

    document: DocumentRef
    data: bytes
    encoding: str
    packed: bytes


@dataclass(frozen=True, slots=True)
class UpsertWork:
    """A document to bring into the index, or out of it.

    ``packed`` is None for a deletion, and where the chunk set is missing; ``data`` are the bytes that it was cut from.
    ``versions`` are those of the committed generation. ``is_superseded``: a newer generation was accepted, so that all
    there is to do is to remove what an earlier attempt may have written. ``follows_gap``: generations between the
    committed one and this were never committed, but may have written, and may yet.
    """

    document: DocumentRef
    action: Action
    packed: bytes | None
    committed: tuple[CommittedChunk, ...]
    is_superseded: bool
    follows_gap: bool
    data: bytes | None
    encoding: str
    versions: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who buys which embeddings. ``mine`` are to be bought now; ``others`` are being bought by another slice."""

    mine: frozenset[bytes]
    others: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Stray:
    """A point that a superseded generation may have written and that no committed chunk stands for."""

    point_id: UUID
    generation: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep brought back or gave up."""

    expired: int
    never_started: int
    split: int
    given_up: int
    interrupted_plans: int

    def __bool__(self) -> bool:
        return any((self.expired, self.never_started, self.split, self.given_up, self.interrupted_plans))
