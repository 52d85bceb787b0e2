"""What a collection's vectors are: read from the request that creates it, kept beside the data, checked on writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import qdrant_edge as edge

from worker.local.sidecar.errors import as_object, as_size, fields, invalid, unsupported

#: The name that the engine gives to the one dense vector of a collection that names none.
UNNAMED = ""

_DISTANCES = {
    "Cosine": edge.Distance.Cosine,
    "Euclid": edge.Distance.Euclid,
    "Dot": edge.Distance.Dot,
    "Manhattan": edge.Distance.Manhattan,
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The named vectors of a collection. ``request`` is the JSON that it was read from."""

    dense: Mapping[str, edge.EdgeVectorParams]
    sparse: Mapping[str, edge.EdgeSparseVectorParams]
    request: Mapping[str, object]

    def engine_config(self) -> edge.EdgeConfig:
        """Return the engine's configuration for a new shard."""
        return edge.EdgeConfig(vectors=dict(self.dense), sparse_vectors=dict(self.sparse))

    def vector(self, name: str, data: object) -> edge.NamedVector:
        """Return a point's or a query's vector ``name``, once its kind and dimensions are right.

        Raises:
            ApiError: There is no such vector, or it has other dimensions.
        """
        if name in self.dense:
            expected = self.dense[name].size
            if not isinstance(data, list) or any(isinstance(number, list) for number in data[:1]):
                raise invalid(f"vector {name!r} must be a list of {expected} numbers")
            if len(data) != expected:
                raise invalid(f"Vector dimension error: expected dim: {expected}, got {len(data)}")
            return data
        if name in self.sparse:
            return _sparse(name, data)
        raise invalid(f"Not existing vector name error: {name}")

    def vectors(self, data: object) -> dict[str, edge.NamedVector]:
        """Return all vectors of a point; a bare list is the unnamed one.

        Raises:
            ApiError: One of them does not exist or has other dimensions.
        """
        named = {UNNAMED: data} if isinstance(data, list) else as_object(data, "vector")
        return {name: self.vector(name, vector) for name, vector in named.items()}


def with_sparse(layout: Layout, name: str, data: object) -> Layout:
    """Return the layout with one more sparse vector, as a request that creates a vector describes it.

    Raises:
        ApiError: It is malformed, or the name is taken by another kind of vector.
    """
    given = fields(data, "vector", ("sparse", "dense"))
    if "dense" in given:
        raise unsupported("adding a dense vector to a collection")
    if name in layout.dense:
        raise invalid(f"there is a dense vector {name!r} already")
    params = as_object(given.get("sparse"), "sparse")
    known = as_object(layout.request.get("sparse_vectors", {}), "sparse_vectors")
    request = {**layout.request, "sparse_vectors": {**known, name: params}}
    return Layout(layout.dense, {**layout.sparse, name: _sparse_params(params)}, request)


def _sparse(name: str, data: object) -> edge.SparseVector:
    given = fields(data, f"sparse vector {name!r}", ("indices", "values"))
    indices, values = given.get("indices"), given.get("values")
    if not isinstance(indices, list) or not isinstance(values, list) or len(indices) != len(values):
        raise invalid(f"sparse vector {name!r} needs as many indices as values")
    if len(set(indices)) != len(indices):
        raise invalid(f"sparse vector {name!r} has an index twice")
    return edge.SparseVector(indices, values)


def read_layout(data: object) -> Layout:
    """Read the body of a request that creates a collection.

    Raises:
        ApiError: It is malformed or asks for something that is not supported.
    """
    given = fields(data, "collection", ("vectors", "sparse_vectors"))
    vectors = as_object(given.get("vectors", {}), "vectors")
    dense = {UNNAMED: vectors} if "size" in vectors else vectors
    sparse = as_object(given.get("sparse_vectors", {}), "sparse_vectors")
    if not dense and not sparse:
        raise invalid("a collection needs at least one vector")
    return Layout(
        {name: _dense_params(params) for name, params in dense.items()},
        {name: _sparse_params(params) for name, params in sparse.items()},
        {"vectors": vectors, "sparse_vectors": sparse},
    )


def _dense_params(data: object) -> edge.EdgeVectorParams:
    given = fields(data, "vector parameters", ("size", "distance", "on_disk"))
    distance = given.get("distance")
    if distance not in _DISTANCES:
        raise invalid(f"distance must be one of {', '.join(_DISTANCES)}")
    size = as_size(given.get("size"), "size", least=1)
    if size > 65_536:  # Qdrant's own limit
        raise invalid("size must be at most 65536")
    return edge.EdgeVectorParams(size, _DISTANCES[str(distance)])


def _sparse_params(data: object) -> edge.EdgeSparseVectorParams:
    given = fields(data, "sparse vector parameters", ("modifier",))
    modifier = given.get("modifier", "none")
    if modifier not in {"none", "idf"}:
        raise unsupported(f"modifier {modifier}")
    return edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf if modifier == "idf" else None)
