"""Find where the ledger and the index disagree, and decide what mends it.

Both sides arrive ordered by point id, so one merge pass needs constant memory whatever the size of the collection.
What the merge yields are *suspects*: the two sides were not read at the same moment. A suspect counts once it was
judged again under its document's claim, where nobody commits chunks or accepts a revision of that document.

Points are written before their chunks are committed and deleted after (see ``tasks/indexing.py``). So a committed
chunk's point is never rightly absent, nor older than its chunk; a point without a chunk, or newer than it, may be
the work of a slice that is still under way, which is what the pending generations tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from uuid import UUID

from pipeline.errors import IngestError
from pipeline.inputs import input_of
from pipeline.reconciliation import DriftKind, PassCounts
from pipeline.sparse import SPARSE_VERSION, document_vector
from pipeline.types import Chunk, DocumentRef, Point, Scope, Vector
from pipeline.upsert import payload_of

#: As the index has it. Ours are UUIDs; a point that somebody else wrote may have a number.
PointId: TypeAlias = UUID | int

#: So few points may always be deleted: a share means nothing among a handful.
FEW_POINTS = 10


class IndexOutOfOrder(IngestError):
    """A stream of points or chunks is not in id order, so they cannot be compared; check the Qdrant version."""


@dataclass(frozen=True, slots=True)
class ExpectedPoint:
    """What the index must hold for a committed chunk.

    ``traits`` are the document's, None while they may be those of a generation that is not committed yet.
    """

    id: UUID
    document_id: UUID
    scope: Scope
    generation: int
    text_hash: bytes
    embed_hash: bytes
    traits: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class IndexedPoint:
    """What the index does hold, whoever wrote it: a field is None or empty where the payload has nothing fitting.

    ``sparse`` is the version of the sparse vector beside the dense one, ``traits`` are the document's; points written
    before there were any have none of either.
    """

    id: PointId
    generation: int | None
    text_hash: str
    embed_hash: str
    tenant: str
    project: str
    document_id: UUID | None
    sparse: int | None = None
    traits: tuple[str, ...] | None = None


_Item = TypeVar("_Item", ExpectedPoint, IndexedPoint)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A point to look at again. ``document_id`` is what its chunk or else the point itself names."""

    id: PointId
    document_id: UUID | None


@dataclass(frozen=True, slots=True)
class CommittedPoint:
    """All that it takes to write a committed chunk's point again, but for its vector and its document's bytes.

    ``document`` has the chunk's own generation and the revision that is committed; ``encoding`` is that one's.
    """

    expected: ExpectedPoint
    source_id: UUID
    document: DocumentRef
    chunk: Chunk
    encoding: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says of one point while its document is claimed.

    ``committed``: its chunk, if it has one in this model. ``is_retired``: its chunk's row awaits the deletion of the
    point. ``newest`` is the document's newest generation, 0 where there is no such document; ``pending`` are those
    whose slices have not ended.
    """

    document_id: UUID | None = None
    committed: CommittedPoint | None = None
    is_retired: bool = False
    newest: int = 0
    pending: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Drift:
    """A confirmed disagreement."""

    id: PointId
    document_id: UUID | None
    kind: DriftKind


@dataclass(frozen=True, slots=True)
class Removal:
    """A point to delete whatever scope it is in, unless its generation is ``below`` or more by then."""

    id: PointId
    below: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What mends one drift: perhaps a deletion, then perhaps a write."""

    removal: Removal | None = None
    write: CommittedPoint | None = None


def read_payload(point_id: PointId, payload: Mapping[str, object]) -> IndexedPoint:
    """Read a payload that anybody may have written; what does not fit our fields reads as absent."""
    document = payload.get("document")
    return IndexedPoint(
        id=point_id,
        generation=_number(payload, "generation"),
        text_hash=_text(payload, "text_hash"),
        embed_hash=_text(payload, "embed_hash"),
        tenant=_text(payload, "tenant"),
        project=_text(payload, "project"),
        document_id=_uuid(document) if isinstance(document, str) else None,
        sparse=_number(payload, "sparse"),
        traits=_texts(payload, "traits"),
    )


def _number(payload: Mapping[str, object], field: str) -> int | None:
    value = payload.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(payload: Mapping[str, object], field: str) -> str:
    value = payload.get(field)
    return value if isinstance(value, str) else ""


def _texts(payload: Mapping[str, object], field: str) -> tuple[str, ...] | None:
    value = payload.get(field)
    return tuple([str(each) for each in value]) if isinstance(value, list) else None


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


def rank(point_id: PointId) -> tuple[bool, int]:
    """Return what orders point ids as both stores do: numbers first, then UUIDs as 128-bit numbers."""
    return (True, point_id.int) if isinstance(point_id, UUID) else (False, point_id)


def find_suspects(expected: Iterable[ExpectedPoint], indexed: Iterable[IndexedPoint]) -> Iterator[Suspect]:
    """Merge both streams, each in id order, and yield every point on which they differ, in id order.

    Raises:
        IndexOutOfOrder: A stream is not in order; nothing can be said then.
    """
    chunks, points = _ordered(expected), _ordered(indexed)
    chunk, point = next(chunks, None), next(points, None)
    while chunk is not None or point is not None:
        if point is None or (chunk is not None and rank(chunk.id) < rank(point.id)):
            if chunk is not None:
                yield Suspect(chunk.id, chunk.document_id)
            chunk = next(chunks, None)
        elif chunk is None or rank(point.id) < rank(chunk.id):
            yield Suspect(point.id, point.document_id)
            point = next(points, None)
        else:
            if not agrees(chunk, point):
                yield Suspect(chunk.id, chunk.document_id)
            chunk, point = next(chunks, None), next(points, None)


def agrees(chunk: ExpectedPoint, point: IndexedPoint) -> bool:
    """Return whether a point is the one that its chunk was committed with, in the form that points have today."""
    return (
        point.generation == chunk.generation
        and point.text_hash == chunk.text_hash.hex()
        and point.embed_hash == chunk.embed_hash.hex()
        and point.sparse == SPARSE_VERSION
        and chunk.traits in {None, point.traits}
        and _is_in(chunk.scope, point)
    )


def is_in_flight(standing: Standing, point: IndexedPoint | None) -> bool:
    """Return whether a slice that is under way may have written the point, or is about to delete it."""
    if point is None or point.generation is None or not standing.pending:
        return False
    if standing.committed is not None:
        # No generation above the newest was ever accepted, so nobody of ours can have written that.
        return standing.committed.expected.generation < point.generation <= standing.newest
    return standing.is_retired or point.generation in standing.pending


def drift_of(standing: Standing, point: IndexedPoint | None) -> DriftKind | None:
    """Return how a point that is not in flight disagrees with its chunk; None where all is well."""
    if standing.committed is None:
        return None if point is None else DriftKind.ORPHAN
    if point is None:
        return DriftKind.MISSING
    return None if agrees(standing.committed.expected, point) else DriftKind.STALE


def repair_of(standing: Standing, point: IndexedPoint | None) -> Repair:
    """Return what makes the index agree with the ledger at one point that drifted.

    A write is conditional, as every write: what stands in its way (a newer generation, another scope, no generation
    at all) is deleted first.
    """
    committed = standing.committed
    if point is None:
        return Repair(write=committed)
    removal = Removal(point.id, (point.generation or 0) + 1)
    if committed is None:
        return Repair(removal)
    gives_way = point.generation is not None and point.generation <= committed.expected.generation
    return Repair(None if gives_way and _is_in(committed.expected.scope, point) else removal, committed)


def point_of(committed: CommittedPoint, vectors: Mapping[bytes, Vector], text: bytes) -> Point:
    """Build the point of a committed chunk; ``text`` is its document's, as UTF-8.

    Raises:
        KeyError: The ledger has no vector for it.
    """
    chunk, document = committed.chunk, committed.document
    payload = payload_of(committed.expected.scope, committed.source_id, document, chunk)
    sparse = document_vector(input_of(document, chunk, text))
    return Point(chunk.id, document.generation, vectors[chunk.embed_hash], payload, sparse)


def deletes_too_much(counts: PassCounts, share: float) -> bool:
    """Return whether a repair would delete more than a share of the points scanned, and more than a few."""
    return counts.orphan > FEW_POINTS and counts.orphan > share * counts.scanned


def _is_in(scope: Scope, point: IndexedPoint) -> bool:
    return (point.tenant, point.project) == (str(scope.tenant_id), str(scope.project_id))


def _ordered(items: Iterable[_Item]) -> Iterator[_Item]:
    last: tuple[bool, int] | None = None
    for item in items:
        key = rank(item.id)
        if last is not None and key <= last:
            raise IndexOutOfOrder
        last = key
        yield item
