"""The collection behind a model's alias: made, completed and checked, by several processes at once if need be.

An older layout is brought up to date where it stands, so its points go on being found: a missing payload index or
sparse vector is added, and the reconciliation then writes the points anew that lack what belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping

from qdrant_client import QdrantClient, models

from pipeline.errors import MisconfiguredError
from pipeline.types import EmbeddingModel
from worker.adapters.qdrant_calls import MissingCollection, RequestRefused, call
from worker.adapters.qdrant_layout import DENSE, SPARSE, alias_of, require_fit

#: Part of the collection's name; a new one would fill a new collection and then take over the alias.
LAYOUT_VERSION = 1

_KEYWORDS = ("project", "source", "path", "places", "traits", "language", "kind", "document")
_PAYLOAD_INDEXES: Mapping[str, models.KeywordIndexParams | models.PayloadSchemaType] = {
    "tenant": models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True),
    **dict.fromkeys(_KEYWORDS, models.PayloadSchemaType.KEYWORD),
    "generation": models.PayloadSchemaType.INTEGER,
}


class OutdatedServer(MisconfiguredError):
    """This Qdrant cannot add the sparse vector to the collection of an older version; see the message."""


class QdrantCollection:
    """The collection of one model."""

    def __init__(self, client: QdrantClient, model: EmbeddingModel) -> None:
        self._client = client
        self._model = model
        self.alias = alias_of(model)
        self.name = f"{self.alias}-v{LAYOUT_VERSION}"

    def ensure(self) -> None:
        """Create the collection, its alias, its sparse vector and its payload indexes where they are missing.

        Safe when several processes do it at once: each step is one that another may already have done.

        Raises:
            DimensionMismatch: What stands behind the alias is not a collection of this model's vectors.
            OutdatedServer: It is one of an older version, and the server cannot add to it.
            ServiceUnavailable, BadCredentials: As always.
        """
        try:
            found = self._find()
        except MissingCollection:
            self._create()
            found = self._find()
        self._check(found)
        if not _has_sparse(found):
            self._add_sparse()
        for field, schema in _PAYLOAD_INDEXES.items():
            if field not in found.payload_schema:
                call(self._client.create_payload_index, self.alias, field_name=field, field_schema=schema, wait=True)

    def complete(self) -> bool:
        """Find out why a request may have been refused; return whether what was missing is there now.

        Raises:
            DimensionMismatch, OutdatedServer, ServiceUnavailable, BadCredentials: As ``ensure``.
        """
        found = self._find()
        self._check(found)
        if _has_sparse(found):
            return False
        self.ensure()
        return True

    def _find(self) -> models.CollectionInfo:
        return call(self._client.get_collection, self.alias)

    def _create(self) -> None:
        try:
            call(
                self._client.create_collection,
                self.name,
                vectors_config={DENSE: models.VectorParams(size=self._model.dims, distance=models.Distance.COSINE)},
                sparse_vectors_config={SPARSE: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
        except RequestRefused:
            # Another process was first (a conflict), or the server will not have it at all.
            if not call(self._client.collection_exists, self.name):
                raise
        alias = models.CreateAlias(collection_name=self.name, alias_name=self.alias)
        operation = models.CreateAliasOperation(create_alias=alias)
        call(self._client.update_collection_aliases, [operation])

    def _add_sparse(self) -> None:
        config = models.SparseVectorNameConfig(sparse=models.SparseVectorConfig(modifier=models.Modifier.IDF))
        try:
            call(self._client.create_vector_name, self.alias, SPARSE, config)
        except (RequestRefused, MissingCollection) as exc:
            # Another process was first, or the server knows no such request.
            if not _has_sparse(self._find()):
                raise OutdatedServer(
                    f"The collection behind {self.alias} was made by an older version and has no sparse vector, and "
                    "this Qdrant cannot add one; use Qdrant 1.18 or newer, or drop the alias and its collection and "
                    "run `mobius reconcile --repair`, which fills a new one without an embedding call."
                ) from exc

    def _check(self, found: models.CollectionInfo) -> None:
        vectors = found.config.params.vectors
        params = vectors.get(DENSE) if isinstance(vectors, dict) else None
        dims, distance = (params.size, params.distance.value) if params else (None, None)
        require_fit(self._model, dims, distance)


def _has_sparse(found: models.CollectionInfo) -> bool:
    return SPARSE in (found.config.params.sparse_vectors or {})
