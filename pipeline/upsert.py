"""Decide what the index must be told so that it holds exactly a document's newest chunks.

A chunk that was written before and is the same now costs nothing; one that only moved gets a new payload, or a whole
new point where the index has lost its own; only a new embedding input, or another version of the sparse vectors, is a
new point from the start. What is gone is retired with the generation below which it may be deleted, so that a late
deletion cannot remove what a newer revision wrote. After a generation that was never committed every point is written
anew: that one may have changed points that stay, and where it still sleeps with a write on the wire, the newer
generation of all points keeps it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from pipeline.errors import TransientError
from pipeline.inputs import input_of
from pipeline.search import places_of
from pipeline.sparse import SPARSE_VERSION, document_vector
from pipeline.types import Chunk, Claim, DocumentRef, Point, PointMove, Retirement, Scope, StoredPoint, Vector

#: Where the part of ``versions`` begins that is the writer's of the points.
_WRITERS = " sparse-"


class ReadBackFailed(TransientError):
    """The index does not return what it was given; the slice is tried again."""


@dataclass(frozen=True, slots=True)
class CommittedChunk:
    """A chunk as the ledger has it: ``generation`` is the one that last wrote its point."""

    chunk: Chunk
    model_id: UUID
    generation: int
    is_retired: bool


@dataclass(frozen=True, slots=True)
class DocumentPlan:
    """What to do for one document.

    ``writes`` get a new point, ``moves`` a new payload, ``shifts`` only a new row in the ledger (with the
    generation that their point keeps), ``retired`` are to be deleted. Chunks in none of them stay as they are.
    ``imports`` are what the document imports; ``versions`` are recorded with its chunks.
    """

    document: DocumentRef
    writes: tuple[Chunk, ...] = ()
    moves: tuple[Chunk, ...] = ()
    shifts: tuple[tuple[Chunk, int], ...] = ()
    retired: tuple[UUID, ...] = ()
    imports: tuple[str, ...] = ()
    versions: str = ""

    @property
    def touched(self) -> tuple[UUID, ...]:
        """Ids of the points that this plan writes or moves."""
        return tuple(chunk.id for chunk in (*self.writes, *self.moves))

    @property
    def retirements(self) -> tuple[Retirement, ...]:
        """The deletions of the retired points, each bound to generations older than this one."""
        return tuple(Retirement(chunk_id, self.document.generation) for chunk_id in self.retired)


def plan_document(
    document: DocumentRef,
    chunks: Sequence[Chunk],
    committed: Iterable[CommittedChunk],
    model_id: UUID,
    *,
    is_rewrite: bool = False,
) -> DocumentPlan:
    """Compare a document's new chunks with its committed ones. No chunks: everything committed is retired.

    ``is_rewrite``: write every point anew, because a generation between the committed one and this was never
    committed, or because the committed one's points are of another kind.
    """
    before = {old.chunk.id: old for old in committed}
    writes: list[Chunk] = []
    moves: list[Chunk] = []
    shifts: list[tuple[Chunk, int]] = []
    for chunk in chunks:
        old = before.pop(chunk.id, None)
        if old is None or is_rewrite or _needs_new_point(old, chunk, model_id):
            writes.append(chunk)
        elif _payload_facts(old.chunk) != _payload_facts(chunk):
            moves.append(chunk)
        elif old.chunk != chunk:
            shifts.append((chunk, old.generation))
    return DocumentPlan(document, tuple(writes), tuple(moves), tuple(shifts), tuple(sorted(before)))


def points_of(claim: Claim, plan: DocumentPlan, vectors: Mapping[bytes, Vector], text: bytes) -> list[Point]:
    """Build the points to write. ``vectors`` maps embed hashes to vectors; ``text`` is the document's, as UTF-8.

    Raises:
        KeyError: A vector is missing; the embed stage must have stored all of them.
    """
    document = plan.document
    return [
        Point(
            chunk.id,
            document.generation,
            vectors[chunk.embed_hash],
            payload_of(claim.scope, claim.source_id, document, chunk),
            document_vector(input_of(document, chunk, text)),
        )
        for chunk in plan.writes
    ]


def moves_of(claim: Claim, plan: DocumentPlan) -> list[PointMove]:
    """Build the payload updates for chunks that only moved."""
    document = plan.document
    return [
        PointMove(chunk.id, document.generation, payload_of(claim.scope, claim.source_id, document, chunk))
        for chunk in plan.moves
    ]


def payload_of(scope: Scope, source_id: UUID, document: DocumentRef, chunk: Chunk) -> dict[str, object]:
    """Return a point's payload; the fields are described in ``worker/adapters/qdrant.py``."""
    return {
        "tenant": str(scope.tenant_id),
        "project": str(scope.project_id),
        "source": str(source_id),
        "document": str(document.id),
        "path": document.path,
        "places": places_of(document.path),
        "traits": list(document.traits),
        "language": [chunk.language, document.language] if chunk.language else document.language,
        "kind": chunk.kind,
        "name": chunk.name,
        "scope": list(chunk.scope),
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "generation": document.generation,
        "text_hash": chunk.text_hash.hex(),
        "embed_hash": chunk.embed_hash.hex(),
        "sparse": SPARSE_VERSION,
    }


def writes_like(versions: str, others: str) -> bool:
    """Return whether points written under these versions and those (``worker.chunking.versions``) are of one kind."""
    return _sparse_version(versions) == _sparse_version(others)


def versions_of(made: str, written: str) -> str:
    """Return the versions of points: ``made`` are those of whoever made the chunks, ``written`` those of the writer.

    While a fleet is upgraded the two may differ. What cuts chunks and makes their inputs is the maker's; from the
    sparse vectors on it is the writer's. So a document is never taken for one of a version that it is not of.
    """
    cut, _, _ = made.partition(_WRITERS)
    _, separator, rest = written.partition(_WRITERS)
    return f"{cut}{separator}{rest}".strip()


def _sparse_version(versions: str) -> str:
    return next((word for word in versions.split() if word.startswith("sparse-")), "")


def lost_moves(plans: Iterable[DocumentPlan], stored: Mapping[UUID, StoredPoint]) -> list[DocumentPlan]:
    """Return plans that write whole points for the moves that found none: the index had lost it."""
    lost = [
        DocumentPlan(plan.document, writes=tuple(chunk for chunk in plan.moves if chunk.id not in stored))
        for plan in plans
    ]
    return [plan for plan in lost if plan.writes]


def verify_written(plans: Iterable[DocumentPlan], stored: Mapping[UUID, StoredPoint]) -> None:
    """Check that every written or moved point reads back at its generation or a newer one.

    Raises:
        ReadBackFailed: A point is absent or older than what was written.
    """
    for plan in plans:
        for point_id in plan.touched:
            found = stored.get(point_id)
            if found is None or found.generation < plan.document.generation:
                raise ReadBackFailed


def verify_deleted(retirements: Iterable[Retirement], stored: Mapping[UUID, StoredPoint]) -> None:
    """Check that no retired point reads back below its bound.

    Raises:
        ReadBackFailed: A retired point is still there.
    """
    for retirement in retirements:
        found = stored.get(retirement.id)
        if found is not None and found.generation < retirement.below:
            raise ReadBackFailed


def _needs_new_point(old: CommittedChunk, chunk: Chunk, model_id: UUID) -> bool:
    return old.is_retired or old.model_id != model_id or old.chunk.embed_hash != chunk.embed_hash


def _payload_facts(chunk: Chunk) -> tuple[object, ...]:
    return (chunk.kind, chunk.name, chunk.scope, chunk.start_line, chunk.end_line, chunk.language)
