"""Read Qdrant's JSON filters and point ids into the engine's own."""

from __future__ import annotations

from uuid import UUID

import qdrant_edge as edge

from worker.local.sidecar.errors import as_list, as_object, as_size, as_text, fields, invalid, unsupported

_CLAUSES = ("must", "should", "must_not", "min_should")
_BOUNDS = ("gt", "gte", "lt", "lte")


def read_id(data: object) -> int | UUID:
    """Return a point id: an unsigned integer or a UUID.

    Raises:
        ApiError: It is neither.
    """
    if isinstance(data, str):
        try:
            return UUID(data)
        except ValueError:
            raise invalid(f"{data!r} is no point id; it must be a UUID or an unsigned integer") from None
    return as_size(data, "a point id")


def read_ids(data: object, what: str) -> list[int | UUID]:
    """Return a list of point ids.

    Raises:
        ApiError: It is no list, or one of them is no id.
    """
    return [read_id(item) for item in as_list(data, what)]


def read_filter(data: object) -> edge.Filter | None:
    """Return the filter, None where there is none.

    Raises:
        ApiError: It is malformed or uses a condition that is not supported.
    """
    if data is None:
        return None
    given = fields(data, "filter", _CLAUSES)
    return edge.Filter(
        must=_conditions(given.get("must")),
        should=_conditions(given.get("should")),
        must_not=_conditions(given.get("must_not")),
        min_should=_min_should(given.get("min_should")),
    )


def _conditions(data: object) -> list[edge.ConditionType] | None:
    if data is None:
        return None
    return [_condition(item) for item in (data if isinstance(data, list) else [data])]


def _min_should(data: object) -> edge.MinShould | None:
    if data is None:
        return None
    given = fields(data, "min_should", ("conditions", "min_count"))
    return edge.MinShould(_conditions(given.get("conditions")) or [], as_size(given.get("min_count"), "min_count"))


def _condition(data: object) -> edge.ConditionType:
    given = as_object(data, "condition")
    if "key" in given:
        return _field(given)
    if "has_id" in given:
        return edge.HasIdCondition(set(read_ids(fields(given, "condition", ("has_id",))["has_id"], "has_id")))
    if "is_empty" in given:
        return edge.IsEmptyCondition(_key_of(given["is_empty"], "is_empty"))
    if "is_null" in given:
        return edge.IsNullCondition(_key_of(given["is_null"], "is_null"))
    if given and not set(given) - set(_CLAUSES):
        nested = read_filter(given)
        if nested is not None:
            return nested
    raise unsupported(f"condition on {', '.join(sorted(given)) or 'nothing'}")


def _key_of(data: object, what: str) -> str:
    return as_text(fields(data, what, ("key",)).get("key"), "key")


def _field(data: object) -> edge.FieldCondition:
    given = fields(data, "condition", ("key", "match", "range"))
    key = as_text(given["key"], "key")
    if ("match" in given) == ("range" in given):
        raise invalid(f"the condition on {key} needs either match or range")
    if "match" in given:
        return edge.FieldCondition(key, match=_match(given["match"]))
    bounds = fields(given["range"], "range", _BOUNDS)
    if not all(isinstance(bound, int | float) for bound in bounds.values()):
        raise unsupported("a range over anything but numbers")
    return edge.FieldCondition(key, range=edge.RangeFloat(**bounds))


def _match(data: object) -> edge.MatchType:
    given = fields(data, "match", ("value", "any", "except"))
    if len(given) != 1:
        raise invalid("match needs exactly one of value, any, except")
    if "value" in given:
        if isinstance(given["value"], bool):
            # The engine's Python binding takes True for the integer 1, which matches no boolean.
            raise unsupported("match on a boolean")
        return edge.MatchValue(given["value"])
    if "any" in given:
        return edge.MatchAny(as_list(given["any"], "any"))
    return edge.MatchExcept(as_list(given["except"], "except"))
