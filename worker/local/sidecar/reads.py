"""Read Qdrant's JSON read requests into the engine's, and write the engine's answers as Qdrant's JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import qdrant_edge as edge

from worker.local.sidecar.errors import as_list, as_object, as_size, as_text, fields, invalid, unsupported
from worker.local.sidecar.filters import read_filter, read_id, read_ids
from worker.local.sidecar.layout import UNNAMED, Layout

#: What Qdrant takes where a request does not say.
_DEFAULT_LIMIT = 10
_DEFAULT_RRF_K = 2

# The stub's ``ScoringQueryType`` names Fusion, of which the two are no subclasses.
_Scoring = Any

_STEP = ("prefetch", "query", "using", "filter", "params", "score_threshold", "limit")


def read_scroll(data: object) -> edge.ScrollRequest:
    """Read a page request; pages come in id order.

    Raises:
        ApiError: It is malformed.
    """
    given = fields(data, "scroll", ("offset", "limit", "filter", "with_payload", "with_vector"))
    return edge.ScrollRequest(
        offset=read_id(given["offset"]) if "offset" in given else None,
        limit=as_size(given.get("limit", _DEFAULT_LIMIT), "limit", least=1),
        filter=read_filter(given.get("filter")),
        with_payload=_with_payload(given.get("with_payload", True)),
        with_vector=_with_vector(given.get("with_vector", False)),
    )


def read_count(data: object) -> edge.CountRequest:
    """Read a request to count.

    Raises:
        ApiError: It is malformed.
    """
    given = fields(data, "count", ("filter", "exact"))
    return edge.CountRequest(exact=bool(given.get("exact", True)), filter=read_filter(given.get("filter")))


def read_get(data: object) -> tuple[list[edge.PointId], edge.WithPayloadType, edge.WithVectorType]:
    """Read a request for points by id: the ids, and what is wanted of their payloads and vectors.

    Raises:
        ApiError: It is malformed.
    """
    given = fields(data, "request", ("ids", "with_payload", "with_vector"))
    ids = read_ids(given.get("ids"), "ids")
    return (
        list(ids),
        _with_payload(given.get("with_payload", True)),
        _with_vector(given.get("with_vector", False)),
    )


def read_query(layout: Layout, data: object) -> edge.QueryRequest:
    """Read a search: nearest to a dense or sparse vector, or a fusion of several such searches.

    Raises:
        ApiError: It is malformed, or a kind of query that is not supported.
    """
    given = fields(data, "query", (*_STEP, "offset", "with_payload", "with_vector"))
    prefetches = _prefetches(layout, given.get("prefetch"))
    return edge.QueryRequest(
        limit=as_size(given.get("limit", _DEFAULT_LIMIT), "limit", least=1),
        offset=as_size(given.get("offset", 0), "offset"),
        query=_scoring(layout, given, has_prefetch=bool(prefetches)),
        prefetches=prefetches,
        with_vector=_with_vector(given.get("with_vector", False)),
        with_payload=_with_payload(given.get("with_payload", False)),
        filter=read_filter(given.get("filter")),
        score_threshold=given.get("score_threshold"),
        params=_params(given.get("params")),
    )


def _prefetches(layout: Layout, data: object) -> list[edge.Prefetch]:
    items = [] if data is None else data if isinstance(data, list) else [data]
    return [_prefetch(layout, fields(item, "prefetch", _STEP)) for item in items]


def _prefetch(layout: Layout, given: dict[str, Any]) -> edge.Prefetch:
    nested = _prefetches(layout, given.get("prefetch"))
    return edge.Prefetch(
        limit=as_size(given.get("limit", _DEFAULT_LIMIT), "limit", least=1),
        query=_scoring(layout, given, has_prefetch=bool(nested)),
        prefetches=nested,
        params=_params(given.get("params")),
        filter=read_filter(given.get("filter")),
        score_threshold=given.get("score_threshold"),
    )


def _scoring(layout: Layout, given: dict[str, Any], *, has_prefetch: bool) -> _Scoring:
    query = given.get("query")
    if isinstance(query, dict) and ("fusion" in query or "rrf" in query):
        if not has_prefetch:
            raise invalid("a fusion needs prefetch")
        return _fusion(query)
    if isinstance(query, dict) and "nearest" in query:
        query = fields(query, "query", ("nearest",))["nearest"]
    using = str(given.get("using", UNNAMED))
    if isinstance(query, list) or (isinstance(query, dict) and "indices" in query):
        return edge.Query.Nearest(layout.vector(using, query), using)
    raise unsupported("a query that is no vector, sparse vector or fusion")


def _fusion(data: object) -> edge.Fusion.Rrf | edge.Fusion.Dbsf:
    given = fields(data, "query", ("fusion", "rrf"))
    if "rrf" in given:
        rrf = fields(given["rrf"], "rrf", ("k", "weights"))
        return edge.Fusion.Rrf(as_size(rrf.get("k", _DEFAULT_RRF_K), "k", least=1), rrf.get("weights"))
    if given["fusion"] == "rrf":
        return edge.Fusion.Rrf(_DEFAULT_RRF_K)
    if given["fusion"] == "dbsf":
        return edge.Fusion.Dbsf()
    raise unsupported(f"fusion {given['fusion']}")


def _params(data: object) -> edge.SearchParams | None:
    # hnsw_ef tunes a graph that is never built here, so it changes nothing.
    if data is None:
        return None
    return edge.SearchParams(exact=bool(fields(data, "params", ("exact", "hnsw_ef")).get("exact", False)))


def _with_payload(data: object) -> edge.WithPayloadType:
    if isinstance(data, bool):
        return data
    if isinstance(data, list):
        return edge.PayloadSelector.Include([as_text(key, "with_payload") for key in data])
    given = fields(data, "with_payload", ("include", "exclude"))
    if len(given) != 1:
        raise invalid("with_payload needs either include or exclude")
    ((how, keys),) = given.items()
    names = [as_text(key, how) for key in as_list(keys, how)]
    return edge.PayloadSelector.Include(names) if how == "include" else edge.PayloadSelector.Exclude(names)


def _with_vector(data: object) -> edge.WithVectorType:
    return data if isinstance(data, bool) else [as_text(name, "with_vector") for name in as_list(data, "with_vector")]


def record_json(record: edge.Record | edge.ScoredPoint) -> dict[str, object]:
    """Return a stored point as Qdrant shows it."""
    return {"id": record.id, "payload": record.payload, "vector": _vector_json(record.vector)}


def scored_json(points: Iterable[edge.ScoredPoint]) -> list[dict[str, object]]:
    """Return search results as Qdrant shows them."""
    return [{**record_json(point), "version": point.version, "score": point.score} for point in points]


def _vector_json(vector: object) -> object:
    if not isinstance(vector, dict):
        return vector
    return {
        name: {"indices": part.indices, "values": part.values} if isinstance(part, edge.SparseVector) else part
        for name, part in as_object(vector, "vector").items()
    }
