"""What each endpoint does: from the store, the path's names and the body to the ``result`` of the answer.

Every action is synchronous; the application runs it on a thread, so that the engine never holds up the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version

import qdrant_edge as edge

from worker.local.sidecar.errors import ApiError, as_list, as_text, fields, unsupported
from worker.local.sidecar.filters import read_id
from worker.local.sidecar.layout import read_layout
from worker.local.sidecar.reads import (
    read_count,
    read_get,
    read_query,
    read_scroll,
    record_json,
    scored_json,
)
from worker.local.sidecar.store import Store
from worker.local.sidecar.writes import (
    Reader,
    read_batch,
    read_delete,
    read_delete_payload,
    read_field_index,
    read_overwrite_payload,
    read_set_payload,
    read_upsert,
)

Action = Callable[[Store, Mapping[str, str], object], object]

#: The version of the REST API that is spoken, which clients compare with their own.
_API_VERSION = "1.20.0"


def version_info() -> dict[str, str]:
    """Return what ``GET /`` answers."""
    return {"title": f"mobius sidecar over qdrant-edge {version('qdrant-edge-py')}", "version": _API_VERSION}


def _list_collections(store: Store, _names: Mapping[str, str], _body: object) -> object:
    return {"collections": [{"name": name} for name in store.names()]}


def _describe(store: Store, names: Mapping[str, str], _body: object) -> object:
    return store.find(names["collection"]).describe()


def _exists(store: Store, names: Mapping[str, str], _body: object) -> object:
    name = names["collection"]
    return {"exists": name in store.names() or name in store.aliases()}


def _create(store: Store, names: Mapping[str, str], body: object) -> object:
    store.create(names["collection"], read_layout(body))
    return True


def _drop(store: Store, names: Mapping[str, str], _body: object) -> object:
    return store.drop(names["collection"])


def _list_aliases(store: Store, names: Mapping[str, str], _body: object) -> object:
    only = names.get("collection")
    return {
        "aliases": [
            {"alias_name": alias, "collection_name": target}
            for alias, target in sorted(store.aliases().items())
            if only in {None, target}
        ]
    }


def _change_aliases(store: Store, _names: Mapping[str, str], body: object) -> object:
    changes: list[tuple[str, str | None]] = []
    for item in as_list(fields(body, "request", ("actions",)).get("actions"), "actions"):
        given = fields(item, "action", ("create_alias", "delete_alias"))
        if "create_alias" in given:
            create = fields(given["create_alias"], "create_alias", ("alias_name", "collection_name"))
            target = as_text(create.get("collection_name"), "collection_name")
            changes.append((as_text(create.get("alias_name"), "alias_name"), target))
        if "delete_alias" in given:
            delete = fields(given["delete_alias"], "delete_alias", ("alias_name",))
            changes.append((as_text(delete.get("alias_name"), "alias_name"), None))
    store.change_aliases(changes)
    return True


def _create_index(store: Store, names: Mapping[str, str], body: object) -> object:
    return store.find(names["collection"]).apply([read_field_index(body)])


def _delete_index(store: Store, names: Mapping[str, str], _body: object) -> object:
    return store.find(names["collection"]).apply([edge.UpdateOperation.delete_field_index(names["field"])])


def _add_vector(store: Store, names: Mapping[str, str], body: object) -> object:
    store.find(names["collection"]).add_sparse(names["vector"], body)
    return {"operation_id": 0, "status": "completed"}


def _write(read: Reader) -> Action:
    def act(store: Store, names: Mapping[str, str], body: object) -> object:
        collection = store.find(names["collection"])
        return collection.apply([read(collection.layout, body)])

    return act


def _write_batch(store: Store, names: Mapping[str, str], body: object) -> object:
    collection = store.find(names["collection"])
    operations = read_batch(collection.layout, body)
    done = collection.apply(operations)
    return [done] * len(operations)


def _get_one(store: Store, names: Mapping[str, str], _body: object) -> object:
    collection = store.find(names["collection"])
    text = names["point"]
    found = collection.shard.retrieve(
        [read_id(int(text) if text.isdecimal() else text)], with_payload=True, with_vector=True
    )
    if not found:
        raise ApiError(404, f"Not found: Point with id {text} does not exists!")
    return record_json(found[0])


def _get(store: Store, names: Mapping[str, str], body: object) -> object:
    ids, with_payload, with_vector = read_get(body)
    records = store.find(names["collection"]).shard.retrieve(ids, with_payload, with_vector)
    return [record_json(record) for record in records]


def _scroll(store: Store, names: Mapping[str, str], body: object) -> object:
    points, following = store.find(names["collection"]).shard.scroll(read_scroll(body))
    return {"points": [record_json(point) for point in points], "next_page_offset": following}


def _count(store: Store, names: Mapping[str, str], body: object) -> object:
    return {"count": store.find(names["collection"]).shard.count(read_count(body))}


def _query(store: Store, names: Mapping[str, str], body: object) -> object:
    collection = store.find(names["collection"])
    return {"points": scored_json(collection.shard.query(read_query(collection.layout, body)))}


def refuse(_store: Store, _names: Mapping[str, str], _body: object) -> object:
    """Refuse what there is no endpoint for.

    Raises:
        ApiError: Always.
    """
    raise unsupported("this endpoint")


_POINTS = "/collections/{collection}/points"

#: (method, path) of every endpoint that answers in Qdrant's envelope.
ENDPOINTS: Mapping[tuple[str, str], Action] = {
    ("GET", "/collections"): _list_collections,
    ("POST", "/collections/aliases"): _change_aliases,
    ("GET", "/aliases"): _list_aliases,
    ("GET", "/collections/{collection}"): _describe,
    ("PUT", "/collections/{collection}"): _create,
    ("DELETE", "/collections/{collection}"): _drop,
    ("GET", "/collections/{collection}/exists"): _exists,
    ("GET", "/collections/{collection}/aliases"): _list_aliases,
    ("PUT", "/collections/{collection}/index"): _create_index,
    ("DELETE", "/collections/{collection}/index/{field}"): _delete_index,
    ("PUT", "/collections/{collection}/vectors/{vector}"): _add_vector,
    ("PUT", _POINTS): _write(read_upsert),
    ("POST", _POINTS): _get,
    ("POST", f"{_POINTS}/batch"): _write_batch,
    ("POST", f"{_POINTS}/delete"): _write(read_delete),
    ("POST", f"{_POINTS}/payload"): _write(read_set_payload),
    ("PUT", f"{_POINTS}/payload"): _write(read_overwrite_payload),
    ("POST", f"{_POINTS}/payload/delete"): _write(read_delete_payload),
    ("POST", f"{_POINTS}/scroll"): _scroll,
    ("POST", f"{_POINTS}/count"): _count,
    ("POST", f"{_POINTS}/query"): _query,
    ("GET", f"{_POINTS}/{{point}}"): _get_one,
}
