"""Look at Qdrant with two small requests; the client library takes longer to import."""

from __future__ import annotations

from pipeline.errors import DimensionMismatch, IngestError
from worker.adapters.qdrant_probe import find_collection, has_sparse, require_vectors, server_version
from worker.doctor.findings import Silence
from worker.doctor.qdrant import QdrantSeen
from worker.embedding import embedding_model, qdrant_key
from worker.local.urls import masked
from worker.settings import Settings

#: For one answer (seconds).
_TIMEOUT = 2.0


def look(settings: Settings) -> QdrantSeen | Silence:
    """Return what Qdrant says about itself and the model's collection."""
    try:
        url, key, model = settings.require("qdrant_url"), qdrant_key(settings), embedding_model(settings)
        version = server_version(url, key, _TIMEOUT)
        collection = find_collection(url, key, model, _TIMEOUT)
    except IngestError as exc:
        return Silence.of(exc)
    if collection is None:
        return QdrantSeen(masked(url), version, model.key)
    misfit = None
    try:
        require_vectors(model, collection)
    except DimensionMismatch as exc:
        misfit = exc
    return QdrantSeen(
        address=masked(url),
        version=version,
        model=model.key,
        points=int(collection.get("points_count") or 0),
        health=str(collection.get("status", "")),
        misfit=misfit,
        has_sparse=has_sparse(collection),
    )
