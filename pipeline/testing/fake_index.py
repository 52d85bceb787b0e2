"""An index in memory that keeps every promise of ``pipeline.ports.Index``, and remembers what was written."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from pipeline.errors import DimensionMismatch, IngestError
from pipeline.reconcile import IndexedPoint, PointId, Removal, rank, read_payload
from pipeline.search import SearchVectors, fused_depth
from pipeline.testing.rankings import by_cosine, by_words, fused
from pipeline.types import (
    EmbeddingModel,
    Hit,
    Point,
    PointMove,
    Retirement,
    Scope,
    SearchFilter,
    StoredPoint,
    Vector,
)


class FakeIndex:
    """Points by id, as in Qdrant: an id that another scope holds is neither seen nor touched.

    What somebody else wrote is put into ``points`` by hand, under a number too; its payload decides what it says.
    ``fault`` is raised by every call while it is set. ``written``, ``moved``, ``deleted`` and ``removed`` list
    the ids of the points that really were, in order.
    """

    def __init__(self, model: EmbeddingModel) -> None:
        self.model = model
        self.points: dict[PointId, Point] = {}
        self.fault: IngestError | None = None
        self.written: list[UUID] = []
        self.moved: list[UUID] = []
        self.deleted: list[UUID] = []
        self.removed: list[PointId] = []

    def drop(self) -> None:
        """Lose everything, as when somebody drops the collection."""
        self.points.clear()

    def ensure(self) -> None:
        """See the port."""
        self._answer()

    def upsert(self, scope: Scope, points: Sequence[Point]) -> None:
        """See the port."""
        self._answer()
        for point in points:
            self._check(point.vector)
        for point in sorted(points, key=lambda point: point.generation):
            stored = self.points.get(point.id)
            if stored is None or (_is_in(scope, stored) and stored.generation <= point.generation):
                self.points[point.id] = replace(point, payload=_payload(scope, point))
                self.written.append(point.id)

    def move(self, scope: Scope, moves: Sequence[PointMove]) -> None:
        """See the port."""
        self._answer()
        for move in moves:
            stored = self._find(scope, move.id)
            if stored is not None and stored.generation <= move.generation:
                self.points[move.id] = replace(stored, generation=move.generation, payload=_payload(scope, move))
                self.moved.append(move.id)

    def delete(self, scope: Scope, retirements: Sequence[Retirement]) -> None:
        """See the port."""
        self._answer()
        for retirement in retirements:
            stored = self._find(scope, retirement.id)
            if stored is not None and stored.generation < retirement.below:
                del self.points[retirement.id]
                self.deleted.append(retirement.id)

    def retrieve(self, scope: Scope, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """See the port."""
        self._answer()
        found = ((point_id, self._find(scope, point_id)) for point_id in ids)
        return {
            point_id: StoredPoint(point_id, point.generation, dict(point.payload))
            for point_id, point in found
            if point is not None
        }

    def search(self, scope: Scope, vectors: SearchVectors, limit: int, where: SearchFilter) -> Sequence[Hit]:
        """See the port."""
        self._answer()
        if vectors.dense is not None:
            self._check(vectors.dense)
        points = [each for each in self.points.values() if _is_in(scope, each) and _matches(where, each.payload)]
        rankings = []
        if vectors.dense is not None:
            rankings.append(by_cosine(vectors.dense, points))
        if vectors.sparse is not None:
            rankings.append(by_words(vectors.sparse, points, self.points.values()))
        best = rankings[0] if len(rankings) == 1 else fused([each[: fused_depth(limit)] for each in rankings])
        found = {point.id: point for point in points}
        return [Hit(each, score, found[each].generation) for each, score in best[: max(0, limit)]]

    def count(self, scope: Scope) -> int:
        """See the port."""
        self._answer()
        return sum(_is_in(scope, point) for point in self.points.values())

    def scan(self, scope: Scope | None, after: PointId | None, limit: int) -> Sequence[IndexedPoint]:
        """See the port."""
        self._answer()
        found = sorted(
            (
                point_id
                for point_id, point in self.points.items()
                if (scope is None or _is_in(scope, point)) and (after is None or rank(point_id) > rank(after))
            ),
            key=rank,
        )
        return [read_payload(point_id, self.points[point_id].payload) for point_id in found[:limit]]

    def look_up(self, ids: Sequence[PointId]) -> Mapping[PointId, IndexedPoint]:
        """See the port."""
        self._answer()
        return {each: read_payload(each, self.points[each].payload) for each in ids if each in self.points}

    def remove(self, removals: Sequence[Removal]) -> None:
        """See the port."""
        self._answer()
        for removal in removals:
            stored = self.look_up([removal.id]).get(removal.id)
            if stored is not None and (stored.generation is None or stored.generation < removal.below):
                del self.points[removal.id]
                self.removed.append(removal.id)

    def ping(self) -> None:
        """See the port."""
        self._answer()

    def close(self) -> None:
        """See the port."""

    def _answer(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _check(self, vector: Vector) -> None:
        if len(vector) != 4 * self.model.dims:
            raise DimensionMismatch

    def _find(self, scope: Scope, point_id: UUID) -> Point | None:
        point = self.points.get(point_id)
        return point if point is not None and _is_in(scope, point) else None


def _payload(scope: Scope, of: Point | PointMove) -> dict[str, object]:
    return {**of.payload, **_scope_fields(scope), "generation": of.generation}


def _scope_fields(scope: Scope) -> dict[str, object]:
    return {"tenant": str(scope.tenant_id), "project": str(scope.project_id)}


def _is_in(scope: Scope, point: Point) -> bool:
    return _scope_fields(scope).items() <= point.payload.items()


def _matches(where: SearchFilter, payload: Mapping[str, object]) -> bool:
    allowed = {
        "language": where.languages,
        "kind": where.kinds,
        "source": tuple(str(source) for source in where.sources),
        "places": where.places,
    }
    traits = payload.get("traits")
    return (
        all(_has_any(payload.get(key), values) for key, values in allowed.items() if values)
        and not _has_any(traits, where.exclude)
        and (not where.only or _has_any(traits, where.only))
    )


def _has_any(stored: object, wanted: Collection[str]) -> bool:
    """Return whether the field is one of the values, or holds one of them."""
    return any(each in wanted for each in (stored if isinstance(stored, list) else [stored]))
