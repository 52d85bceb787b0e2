"""Keep the points of one embedding model in Qdrant, behind an alias, so that no late writer can do harm.

Every write carries a condition that the server checks: the stored point is of the same tenant and project, and its
generation is not above the writer's. Nothing is read first, so there is no gap between the check and the write.

The alias is derived from the model's key (``qdrant_collection.py``). Where the collection is gone (someone dropped
it), the first call that notices makes it again, empty, and repeats itself once; the reconciliation then fills it from
the ledger. A read of a dropped collection therefore finds nothing.

A point is the vector ``dense`` (cosine), the vector ``sparse`` (words; the server multiplies a query by the IDF of
the whole collection) and this payload:

==================== =======================================================================================
tenant, project      UUIDs of the scope; every condition and every search contains both
source, document     UUIDs
path                 of the document, relative to its source
traits               of the document, as sorted names (``pipeline/traits.py``); points from before it have none
places               every directory that the document is in, and its path: what a search is confined to
language             of the document; a list of two, the chunk's own first, where that is embedded code
kind                 of the chunk (function, class, section, ...)
name, scope          what the chunk defines; the list of enclosing definitions, from the outside in
start_line, end_line 1-based, inclusive
generation           of the document when the point was last written
text_hash            SHA-256 of the chunk's text, hex
embed_hash           SHA-256 of what the embedder was given, hex
sparse               version of ``pipeline/sparse.py`` that made the sparse vector
==================== =======================================================================================

There is no text in it. ``tenant``, ``project`` and ``generation`` are always set from the call's own arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import ParamSpec, TypeVar
from uuid import UUID

from qdrant_client import QdrantClient, models

from pipeline.errors import DimensionMismatch
from pipeline.reconcile import IndexedPoint, PointId, Removal, read_payload
from pipeline.search import SearchVectors
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
from worker.adapters.qdrant_calls import MissingCollection, RequestRefused, call, connect_qdrant, side_by_side
from worker.adapters.qdrant_collection import QdrantCollection
from worker.adapters.qdrant_requests import (
    batch_of,
    has_id,
    id_after,
    of_generation,
    payload_of,
    query_of,
    read_id,
    scope_fields,
    sent_id,
    within,
)

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")

#: Points in one request, and the bytes of JSON that its vectors may come to (Qdrant refuses 32 MiB).
_MAX_POINTS = 256
_MAX_VECTOR_BYTES = 8 * 1024 * 1024
_BYTES_PER_NUMBER = 22

#: The fields that tell whether a point is the one that was written.
_FACTS = ["tenant", "project", "document", "generation", "text_hash", "embed_hash", "sparse", "traits"]

_LAST_ID = UUID(int=2**128 - 1)


def open_index(url: str, api_key: str | None, model: EmbeddingModel) -> QdrantIndex:
    """Return the index of a model in the server at ``url``; nothing is sent until the first call."""
    return QdrantIndex(connect_qdrant(url, api_key), model)


class QdrantIndex:
    """The index of one model in a Qdrant server; see ``pipeline.ports.Index`` for what it promises."""

    def __init__(self, client: QdrantClient, model: EmbeddingModel) -> None:
        self._client = client
        self._model = model
        self._collection = QdrantCollection(client, model)
        self.alias, self.collection = self._collection.alias, self._collection.name
        self._batch = max(1, min(_MAX_POINTS, _MAX_VECTOR_BYTES // (model.dims * _BYTES_PER_NUMBER)))

    def ensure(self) -> None:
        """Create the collection, its alias, its vectors and its payload indexes where they are missing. Idempotent.

        Raises:
            DimensionMismatch: What stands behind the alias is not a collection of this model's vectors.
            OutdatedServer: It is one of an older version, and the server cannot add to it.
            ServiceUnavailable, BadCredentials: As always.
        """
        self._collection.ensure()

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
        batch = batch_of(scope, points)
        condition = within(scope, of_generation(lte=generation))
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
                        payload=payload_of(scope, move),
                        filter=within(scope, has_id([move.id]), of_generation(lte=move.generation)),
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
                condition = within(scope, has_id([each.id for each in part]), of_generation(lt=below))
                selector = models.FilterSelector(filter=condition)
                self._on_alias(self._client.delete, self.alias, selector)

    def retrieve(self, scope: Scope, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """Return what the index holds for these ids within the scope; absent ids are absent.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        ours = scope_fields(scope)
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

    def search(self, scope: Scope, vectors: SearchVectors, limit: int, where: SearchFilter) -> Sequence[Hit]:
        """Return the best points, best first, at most ``limit``; ``pipeline.search`` says what scores mean.

        Raises:
            DimensionMismatch: The dense vector is not of the model's dimensions.
            ServiceUnavailable, BadCredentials: As always.
        """
        self._require_dims([] if vectors.dense is None else [vectors.dense])
        if limit < 1:
            return []
        query = query_of(scope, vectors, limit, where)
        found = self._on_alias(self._client.query_points, self.alias, **query, with_payload=["generation"])
        hits = [Hit(UUID(str(hit.id)), hit.score, int((hit.payload or {})["generation"])) for hit in found.points]
        # Equal scores come in any order, and words often give equal ones.
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))

    def count(self, scope: Scope) -> int:
        """Return how many points the scope holds, exactly.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        condition = within(scope)
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
                scroll_filter=None if scope is None else within(scope),
                offset=None if after is None else id_after(after),
                limit=limit,
                with_payload=_FACTS,
                with_vectors=False,
            )
        except MissingCollection:
            return []
        return [read_payload(read_id(record.id), record.payload or {}) for record in page]

    def look_up(self, ids: Sequence[PointId]) -> Mapping[PointId, IndexedPoint]:
        """Return what stands under these ids in any scope; absent ids are absent. Makes no collection.

        Raises:
            ServiceUnavailable, BadCredentials: As always.
        """
        found: dict[PointId, IndexedPoint] = {}
        try:
            for part in _parts([sent_id(point_id) for point_id in ids], _MAX_POINTS):
                for record in call(self._client.retrieve, self.alias, part, with_payload=_FACTS):
                    point_id = read_id(record.id)
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
                ids = has_id([each.id for each in part])
                condition = models.Filter(must=[ids], must_not=[of_generation(gte=below)])
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
            # The collection may be another than ``ensure`` left: of other dimensions, or of an older version.
            if not self._collection.complete():
                raise
            return call(function, *args, **kwargs)

    def _require_dims(self, vectors: Sequence[Vector]) -> None:
        wrong = next((vector for vector in vectors if len(vector) != 4 * self._model.dims), None)
        if wrong is not None:
            raise DimensionMismatch(
                f"A vector of {len(wrong) // 4} dimensions was given to the index of {self._model.key}; "
                "embed again with that model."
            )


def _parts(items: Sequence[S], size: int) -> Iterator[Sequence[S]]:
    return (items[start : start + size] for start in range(0, len(items), size))
