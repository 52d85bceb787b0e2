"""Read Qdrant's JSON write requests into the engine's operations; nothing is applied here.

A whole request is read before any of it is applied, so that one that is wrong changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qdrant_edge as edge

from worker.local.sidecar.errors import as_list, as_object, as_text, fields, invalid, unsupported
from worker.local.sidecar.filters import read_filter, read_id, read_ids
from worker.local.sidecar.layout import Layout

Reader = Callable[[Layout, object], edge.UpdateOperation]

_MODES = {
    "upsert": edge.UpdateMode.Upsert,
    "insert_only": edge.UpdateMode.InsertOnly,
    "update_only": edge.UpdateMode.UpdateOnly,
}


def read_upsert(layout: Layout, data: object) -> edge.UpdateOperation:
    """Read an upsert of points given one by one or as a batch of columns.

    Raises:
        ApiError: It is malformed, or a vector does not fit the collection.
    """
    given = fields(data, "upsert", ("points", "batch", "update_filter", "update_mode"))
    if ("points" in given) == ("batch" in given):
        raise invalid("an upsert needs either points or batch")
    points = _batch(layout, given["batch"]) if "batch" in given else _points(layout, given["points"])
    mode = given.get("update_mode", "upsert")
    if mode not in _MODES:
        raise unsupported(f"update_mode {mode}")
    return edge.UpdateOperation.upsert_points(points, read_filter(given.get("update_filter")), _MODES[str(mode)])


def _points(layout: Layout, data: object) -> list[edge.Point]:
    points = []
    for item in as_list(data, "points"):
        given = fields(item, "point", ("id", "vector", "payload"))
        points.append(_point(layout, given.get("id"), given.get("vector", {}), given.get("payload")))
    return points


def _batch(layout: Layout, data: object) -> list[edge.Point]:
    given = fields(data, "batch", ("ids", "vectors", "payloads"))
    ids = as_list(given.get("ids"), "ids")
    payloads = as_list(given.get("payloads", [None] * len(ids)), "payloads")
    columns = given.get("vectors")
    if isinstance(columns, list):
        rows = columns
    else:
        named = {name: as_list(column, name) for name, column in as_object(columns, "vectors").items()}
        if any(len(column) != len(ids) for column in named.values()):
            raise invalid("ids and vectors of a batch differ in number")
        rows = [{name: column[i] for name, column in named.items()} for i in range(len(ids))]
    if not len(ids) == len(rows) == len(payloads):
        raise invalid("ids, vectors and payloads of a batch differ in number")
    return [_point(layout, *row) for row in zip(ids, rows, payloads, strict=True)]


def _point(layout: Layout, point_id: object, vector: object, payload: object) -> edge.Point:
    found = None if payload is None else dict(as_object(payload, "payload"))
    return edge.Point(read_id(point_id), layout.vectors(vector), found)


def read_delete(_layout: Layout, data: object) -> edge.UpdateOperation:
    """Read a deletion by ids or by filter.

    Raises:
        ApiError: It is malformed.
    """
    ids, condition = _selector(fields(data, "delete", ("points", "filter")))
    if condition is not None:
        return edge.UpdateOperation.delete_points_by_filter(condition)
    return edge.UpdateOperation.delete_points(ids)


def read_set_payload(_layout: Layout, data: object) -> edge.UpdateOperation:
    """Read a change of some payload fields.

    Raises:
        ApiError: It is malformed.
    """
    payload, ids, condition = _payload_change(data, "set_payload")
    if condition is not None:
        return edge.UpdateOperation.set_payload_by_filter(condition, payload)
    return edge.UpdateOperation.set_payload(ids, payload)


def read_overwrite_payload(_layout: Layout, data: object) -> edge.UpdateOperation:
    """Read a replacement of whole payloads.

    Raises:
        ApiError: It is malformed.
    """
    payload, ids, condition = _payload_change(data, "overwrite_payload")
    if condition is not None:
        return edge.UpdateOperation.overwrite_payload_by_filter(condition, payload)
    return edge.UpdateOperation.overwrite_payload(ids, payload)


def read_delete_payload(_layout: Layout, data: object) -> edge.UpdateOperation:
    """Read a removal of payload fields.

    Raises:
        ApiError: It is malformed.
    """
    given = fields(data, "delete_payload", ("keys", "points", "filter"))
    keys = [as_text(key, "key") for key in as_list(given.get("keys"), "keys")]
    ids, condition = _selector(given)
    if condition is not None:
        return edge.UpdateOperation.delete_payload_by_filter(condition, keys)
    return edge.UpdateOperation.delete_payload(ids, keys)


def _payload_change(data: object, what: str) -> tuple[dict[str, Any], list[edge.PointId], edge.Filter | None]:
    given = fields(data, what, ("payload", "points", "filter"))
    return (dict(as_object(given.get("payload"), "payload")), *_selector(given))


def _selector(given: dict[str, Any]) -> tuple[list[edge.PointId], edge.Filter | None]:
    if ("points" in given) == ("filter" in given):
        raise invalid("select by either points or filter")
    if "filter" in given:
        return [], read_filter(given["filter"])
    return list(read_ids(given["points"], "points")), None


_OPERATIONS: Mapping[str, Reader] = {
    "upsert": read_upsert,
    "delete": read_delete,
    "set_payload": read_set_payload,
    "overwrite_payload": read_overwrite_payload,
    "delete_payload": read_delete_payload,
}


def read_batch(layout: Layout, data: object) -> list[edge.UpdateOperation]:
    """Read a list of write operations, in the order in which they are to be applied.

    Raises:
        ApiError: One of them is malformed or not supported.
    """
    operations = []
    for item in as_list(fields(data, "batch", ("operations",)).get("operations"), "operations"):
        given = fields(item, "operation", _OPERATIONS)
        if len(given) != 1:
            raise invalid(f"an operation is exactly one of {', '.join(_OPERATIONS)}")
        ((name, body),) = given.items()
        operations.append(_OPERATIONS[name](layout, body))
    return operations


_SCHEMAS = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
    "uuid": edge.PayloadSchemaType.Uuid,
}

#: From the engine's schema type to its name in the REST API.
SCHEMA_NAMES = {schema: name for name, schema in _SCHEMAS.items()}


def read_field_index(data: object) -> edge.UpdateOperation:
    """Read the creation of a payload index.

    Raises:
        ApiError: It is malformed, or of a kind that is not supported.
    """
    given = fields(data, "index", ("field_name", "field_schema"))
    name = as_text(given.get("field_name"), "field_name")
    schema = given.get("field_schema")
    params = {"type": schema} if isinstance(schema, str) else fields(schema, "field_schema", ("type", "is_tenant"))
    kind = params.get("type")
    if kind not in _SCHEMAS:
        raise unsupported(f"field_schema {kind}")
    if "is_tenant" in params:
        if kind != "keyword":
            raise unsupported(f"is_tenant on {kind}")
        keyword = edge.KeywordIndexParams(is_tenant=bool(params["is_tenant"]))
        return edge.UpdateOperation.create_field_index(name, keyword)
    return edge.UpdateOperation.create_field_index(name, _SCHEMAS[str(kind)])
