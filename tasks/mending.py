"""Mend a batch of drifts under their documents' claim, from the ledger's own vectors, and read every one back.

What cannot be written again is not deleted either: a chunk whose vector the ledger has lost keeps the point it has.
The sparse vector is made again from the committed revision's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from pipeline.parse.decode import text_of
from pipeline.ports import Index
from pipeline.reconcile import (
    CommittedPoint,
    IndexedPoint,
    PointId,
    Repair,
    Standing,
    drift_of,
    is_in_flight,
    point_of,
    repair_of,
)
from pipeline.reconcile_ports import ClaimedSuspects
from pipeline.types import Point


@dataclass(slots=True)
class Mended:
    """What became of drifts: mended and read back, left to a slice under way, or not to be mended.

    ``without_vector`` maps those whose vector (or bytes) the ledger lacks to their documents; ``unread`` did not read
    back.
    """

    done: list[PointId] = field(default_factory=list)
    deferred: list[PointId] = field(default_factory=list)
    without_vector: dict[PointId, UUID] = field(default_factory=dict)
    unread: list[PointId] = field(default_factory=list)


def mend(index: Index, claimed: ClaimedSuspects, mended: Mended) -> None:
    """Mend what still drifts among the claimed points; what is in order by now counts as done."""
    repairs = _repairs(claimed.standings, index.look_up(list(claimed.standings)), mended)
    points = _points(claimed, _writes(repairs))
    for write in _writes(repairs):
        if write.expected.id not in points:
            mended.without_vector[write.expected.id] = write.expected.document_id
            del repairs[write.expected.id]
    _carry_out(index, repairs, points)
    after = index.look_up(list(repairs))
    for point_id in repairs:
        is_done = drift_of(claimed.standings[point_id], after.get(point_id)) is None
        (mended.done if is_done else mended.unread).append(point_id)


def _repairs(
    standings: Mapping[PointId, Standing], stored: Mapping[PointId, IndexedPoint], mended: Mended
) -> dict[PointId, Repair]:
    repairs: dict[PointId, Repair] = {}
    for point_id, standing in standings.items():
        point = stored.get(point_id)
        if is_in_flight(standing, point):
            mended.deferred.append(point_id)
        elif drift_of(standing, point) is None:
            mended.done.append(point_id)
        else:
            repairs[point_id] = repair_of(standing, point)
    return repairs


def _writes(repairs: Mapping[PointId, Repair]) -> Sequence[CommittedPoint]:
    return [repair.write for repair in repairs.values() if repair.write is not None]


def _points(claimed: ClaimedSuspects, writes: Sequence[CommittedPoint]) -> dict[PointId, Point]:
    """Build the points of those whose vector and bytes the ledger has."""
    vectors = claimed.vectors([write.expected.embed_hash for write in writes]) if writes else {}
    by_text: dict[bytes, dict[str, list[CommittedPoint]]] = {}
    for write in writes:
        if write.expected.embed_hash in vectors and write.document.revision is not None:
            by_text.setdefault(write.document.revision, {}).setdefault(write.encoding, []).append(write)
    return {
        write.expected.id: point_of(write, vectors, text)
        for revision, data in claimed.contents(by_text.keys())
        for encoding, group in by_text[revision].items()
        for text in [text_of(data, encoding)]
        for write in group
    }


def _carry_out(index: Index, repairs: Mapping[PointId, Repair], points: Mapping[PointId, Point]) -> None:
    index.remove([repair.removal for repair in repairs.values() if repair.removal is not None])
    writes = _writes(repairs)
    for scope in {write.expected.scope for write in writes}:
        index.upsert(scope, [points[write.expected.id] for write in writes if write.expected.scope == scope])
