"""Keep the points of one embedding model in Qdrant, behind an alias, so that no late writer can do harm.

Every write carries a condition that the server checks: the stored point is of the same tenant and project, and its
generation is not above the writer's. Nothing is read first, so there is no gap between the check and the write.

The alias is derived from the model's key; the collection behind it also carries the version of this layout. Where
the collection is gone (someone dropped it), the first call that notices makes it again, empty, and repeats itself
once; the reconciliation then fills it from the ledger. A read of a dropped collection therefore finds nothing.

A point is the dense vector ``dense`` (cosine; named, so that a sparse one can stand beside it) and this payload:

==================== =======================================================================================
tenant, project      UUIDs of the scope; every condition and every search contains both
source, document     UUIDs
path                 of the document, relative to its source
language, kind       of the document; of the chunk (function, class, section, ...)
name, scope          what the chunk defines; the list of enclosing definitions, from the outside in
start_line, end_line 1-based, inclusive
generation           of the document when the point was last written
text_hash            SHA-256 of the chunk's text, hex
embed_hash           SHA-256 of what the embedder was given, hex
==================== =======================================================================================

There is no text in it. ``tenant``, ``project`` and ``generation`` are always set from the call's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

import numpy as np
from qdrant_client import QdrantClient, models

from pipeline.errors import DimensionMismatch
from pipeline.reconcile import IndexedPoint, PointId, Removal, read_payload
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
from worker.adapters.qdrant_calls import MissingCollection, RequestRefused, call, side_by_side
from worker.adapters.qdrant_layout import DENSE, alias_of, require_fit

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")

#: The version of the layout above; a new one fills a new collection and then takes over the alias.
LAYOUT_VERSION = 1

#: Points in one request, and the bytes of JSON that its vectors may come to (Qdrant refuses 32 MiB).
_MAX_POINTS = 256
_MAX_VECTOR_BYTES = 8 * 1024 * 1024
_BYTES_PER_NUMBER = 22

#: The fields that tell whether a point is the one that was written.
_FACTS = ["tenant", "project", "document", "generation", "text_hash", "embed_hash"]

_LAST_ID = UUID(int=2**128 - 1)

_KEYWORDS = ("project", "source", "path", "language", "kind", "document")
_PAYLOAD_INDEXES: Mapping[str, models.KeywordIndexParams | models.PayloadSchemaType] = {
    "tenant": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    **dict.fromkeys(_KEYWORDS, models.PayloadSchemaType.KEYWORD),
    "generation": models.PayloadSchemaType.INTEGER,
}


class QdrantIndex:
    """The index of one model in a Qdrant server; see ``pipeline.ports.Index`` for what it promises."""

    def __init__(self, client: QdrantClient, model: EmbeddingModel) -> None:
        self._client = client
        self._model = model
        self.alias = alias_of(model)
        self.collection = f"{self.alias}-v{LAYOUT_VERSION}"
        self._batch = max(1, min(_MAX_POINTS, _MAX_VECTOR_BYTES // (model.dims * _BYTES_PER_NUMBER)))

    def ensure(self) -> None:
        """Create the collection, its alias and its payload indexes where they are missing. Idempotent.

        Safe when several processes do it at once: each step is one that another may already have done.

        Raises:
            DimensionMismatch: What stands behind the alias is not a collection of this model's vectors.
            ServiceUnavailable, BadCredentials: As always.
        """
        try:
            found = call(self._client.get_collection, self.alias)
        except MissingCollection:
            self._create()
            found = call(self._client.get_collection, self.alias)
        self._check(found)
        for field, schema in _PAYLOAD_INDEXES.items():
            if field not in found.payload_schema:
                self._create_payload_index(field, schema)

    def _create(self) -> None:
        vectors = {DENSE: models.VectorParams(size=self._model.dims, distance=models.Distance.COSINE)}
        try:
            call(self._client.create_collection, self.collection, vectors_config=vectors)
        except RequestRefused:
            # Another process was first (a conflict), or the server will not have it at all.
            if not call(self._client.collection_exists, self.collection):
                raise
        alias = models.CreateAlias(collection_name=self.collection, alias_name=self.alias)
        operation = models.CreateAliasOperation(create_alias=alias)
        call(self._client.update_collection_aliases, [operation])

    def _create_payload_index(self, field: str, schema: models.KeywordIndexParams | models.PayloadSchemaType) -> None:
        call(self._client.create_payload_index, self.alias, field_name=field, field_schema=schema, wait=True)

    def _check(self, found: models.CollectionInfo) -> None:
        vectors = found.config.params.vectors
        params = vectors.get(DENSE) if isinstance(vectors, dict) else None
        dims, distance = (params.size, params.distance.value) if params else (None, None)
        require_fit(self._model, dims, distance)

    def upsert(self, scope: Scope, points: Sequence[Point]) -> None:
        """Write the points. A stored point of a newer generation or of another scope stays as it is.

        Raises:
            DimensionMismatch: A vector is not of the model's dimensions; nothing was written.
            ServiceUnavailable, BadCredentials: As always.
        """
        self._require_dims([point.vector for point in points])
        ordered = sorted(points, key=lambda point: point.generation)
        side_by_side(
            [
                partial(self._upsert_part, scope, generation, part)
                for generation, group in groupby(ordered, key=lambda point: point.generation)
                for part in _parts(list(group), self._batch)
            ]
        )

    def _upsert_part(self, scope: Scope, generation: int, points: Sequence[Point]) -> None:
        batch = models.Batch(
            ids=[str(point.id) for point in points],
            vectors={DENSE: _numbers([point.vector for point in points])},
            payloads=[_payload(scope, point) for point in points],
        )
        condition = _within(scope, _generation(lte=generation))
        self._on_alias(self._client.upsert, self.alias, batch, update_filter=condition)

    def move(self, scope: Scope, moves: Sequence[PointMove]) -> None:
        """Replace the payloads of existing points, each only where the stored generation is not above the new.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        for part in _parts(moves, _MAX_POINTS):
            operations = [
                models.OverwritePayloadOperation(
                    overwrite_payload=models.SetPayload(
                        payload=_payload(scope, move),
                        filter=_within(scope, _has_id([move.id]), _generation(lte=move.generation)),
                    )
                )
                for move in part
            ]
            self._on_alias(self._client.batch_update_points, self.alias, operations)

    def delete(self, scope: Scope, retirements: Sequence[Retirement]) -> None:
        """Delete the points whose stored generation is below the retirement's ``below``; absent ones are fine.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        ordered = sorted(retirements, key=lambda retirement: retirement.below)
        for below, group in groupby(ordered, key=lambda retirement: retirement.below):
            for part in _parts(list(group), _MAX_POINTS):
                condition = _within(scope, _has_id([each.id for each in part]), _generation(lt=below))
                selector = models.FilterSelector(filter=condition)
                self._on_alias(self._client.delete, self.alias, selector)

    def retrieve(self, scope: Scope, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """Return what the index holds for these ids within the scope; absent ids are absent.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        ours = _scope_fields(scope)
        stored = {}
        parts = _parts([str(point_id) for point_id in ids], _MAX_POINTS)
        pages = side_by_side([partial(self._retrieve_part, part) for part in parts])
        for record in chain.from_iterable(pages):
            payload = record.payload or {}
            if ours.items() <= {key: payload.get(key) for key in ours}.items():
                point_id = UUID(str(record.id))
                stored[point_id] = StoredPoint(point_id, int(payload["generation"]), payload)
        return stored

    def _retrieve_part(self, ids: Sequence[str]) -> list[models.Record]:
        return self._on_alias(self._client.retrieve, self.alias, ids, with_payload=True)

    def search(self, scope: Scope, vector: Vector, limit: int, where: SearchFilter) -> Sequence[Hit]:
        """Return the nearest points by cosine similarity, best first, at most ``limit``.

        Raises:
            DimensionMismatch: The vector is not of the model's dimensions.
            ServiceUnavailable, BadCredentials: As always.
        """
        self._require_dims([vector])
        (query,) = _numbers([vector])
        if limit < 1:
            return []
        condition = _within(
            scope,
            *_any_of("language", where.languages),
            *_any_of("kind", where.kinds),
            *_any_of("source", [str(source) for source in where.sources]),
        )
        found = self._on_alias(
            self._client.query_points,
            self.alias,
            query,
            using=DENSE,
            query_filter=condition,
            limit=limit,
            with_payload=["generation"],
        )
        return [Hit(UUID(str(hit.id)), hit.score, int((hit.payload or {})["generation"])) for hit in found.points]

    def count(self, scope: Scope) -> int:
        """Return how many points the scope holds, exactly.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        condition = _within(scope)
        return int(self._on_alias(self._client.count, self.alias, condition, exact=True).count)

    def scan(self, scope: Scope | None, after: PointId | None, limit: int) -> Sequence[IndexedPoint]:
        """Return the next points in id order; None: of all scopes, whoever wrote them. Makes no collection.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        if after == _LAST_ID:
            return []
        try:
            page, _ = call(
                self._client.scroll,
                self.alias,
                scroll_filter=None if scope is None else _within(scope),
                offset=None if after is None else _id_after(after),
                limit=limit,
                with_payload=_FACTS,
                with_vectors=False,
            )
        except MissingCollection:
            return []
        return [read_payload(_read_id(record.id), record.payload or {}) for record in page]

    def look_up(self, ids: Sequence[PointId]) -> Mapping[PointId, IndexedPoint]:
        """Return what stands under these ids in any scope; absent ids are absent. Makes no collection.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        found: dict[PointId, IndexedPoint] = {}
        try:
            for part in _parts([_sent_id(point_id) for point_id in ids], _MAX_POINTS):
                for record in call(self._client.retrieve, self.alias, part, with_payload=_FACTS):
                    point_id = _read_id(record.id)
                    found[point_id] = read_payload(point_id, record.payload or {})
        except MissingCollection:
            return {}
        return found

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete points of any scope, each unless its generation is the removal's ``below`` or more.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        ordered = sorted(removals, key=lambda removal: removal.below)
        for below, group in groupby(ordered, key=lambda removal: removal.below):
            for part in _parts(list(group), _MAX_POINTS):
                # Said the other way round, because a point without any generation goes too.
                condition = models.Filter(must=[_has_id([each.id for each in part])], must_not=[_generation(gte=below)])
                self._on_alias(self._client.delete, self.alias, models.FilterSelector(filter=condition))

    def ping(self) -> None:
        """Return when the index answers and takes the key.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        call(self._client.collection_exists, self.collection)

    def close(self) -> None:
        """Release connections; safe to call twice."""
        self._client.close()

    def _on_alias(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(function, *args, **kwargs)
        except MissingCollection:
            self.ensure()
            return call(function, *args, **kwargs)
        except RequestRefused:
            # The collection may have been replaced by one of other dimensions since ``ensure``: say that then.
            self._check(call(self._client.get_collection, self.alias))
            raise

    def _require_dims(self, vectors: Sequence[Vector]) -> None:
        wrong = next((vector for vector in vectors if len(vector) != 4 * self._model.dims), None)
        if wrong is not None:
            raise DimensionMismatch(
                f"A vector of {len(wrong) // 4} dimensions was given to the index of {self._model.key}; "
                "embed again with that model."
            )


def _numbers(vectors: Sequence[Vector]) -> list[Any]:
    """Return the vectors, of one length, as lists of numbers for JSON."""
    exact = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1)
    # JSON carries doubles. Nine decimals where they mean the same float32: two thirds of the bytes, or less.
    short = np.round(exact.astype(np.float64), 9)
    numbers: list[Any] = np.where(short.astype(np.float32) == exact, short, exact).tolist()
    return numbers


def _parts(items: Sequence[S], size: int) -> Iterator[Sequence[S]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _scope_fields(scope: Scope) -> dict[str, str]:
    return {"tenant": str(scope.tenant_id), "project": str(scope.project_id)}


def _payload(scope: Scope, of: Point | PointMove) -> dict[str, Any]:
    return {**of.payload, **_scope_fields(scope), "generation": of.generation}


def _within(scope: Scope, *conditions: models.Condition) -> models.Filter:
    return models.Filter(
        must=[
            *(
                models.FieldCondition(key=key, match=models.MatchValue(value=value))
                for key, value in _scope_fields(scope).items()
            ),
            *conditions,
        ]
    )


def _generation(lt: int | None = None, lte: int | None = None, gte: int | None = None) -> models.FieldCondition:
    return models.FieldCondition(key="generation", range=models.Range(lt=lt, lte=lte, gte=gte))


def _has_id(ids: Sequence[PointId]) -> models.HasIdCondition:
    return models.HasIdCondition(has_id=[_sent_id(point_id) for point_id in ids])


def _sent_id(point_id: PointId) -> str | int:
    return str(point_id) if isinstance(point_id, UUID) else point_id


def _read_id(point_id: object) -> PointId:
    return point_id if isinstance(point_id, int) else UUID(str(point_id))


def _id_after(point_id: PointId) -> str | int:
    """Return the smallest id above this one, where a page then begins."""
    if isinstance(point_id, UUID):
        return str(UUID(int=point_id.int + 1))
    return point_id + 1 if point_id + 1 < 2**64 else str(UUID(int=0))


def _any_of(key: str, values: Sequence[str]) -> list[models.FieldCondition]:
    return [models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))] if values else []
