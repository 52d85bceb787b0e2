"""One collection: an engine shard whose writes are applied one request at a time, in the order they arrive.

The engine serves reads while it writes. It does not say that a condition and the write that hangs on it are one
step when several callers write at once, so the lock here makes them one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import orjson
import qdrant_edge as edge

from worker.local.sidecar.errors import not_found
from worker.local.sidecar.layout import Layout, read_layout, with_sparse
from worker.local.sidecar.writes import SCHEMA_NAMES

#: In a collection's directory: the request that created it, and the engine's own files.
_LAYOUT_FILE = "collection.json"
_SHARD_DIRECTORY = "shard"


class Collection:
    """An open collection."""

    def __init__(self, directory: Path, layout: Layout, shard: edge.EdgeShard) -> None:
        self.name = directory.name
        self._directory = directory
        self.layout = layout
        self.shard = shard
        self._writing = threading.Lock()
        self._operations = 0
        self._is_dirty = False
        self._is_closed = False

    @staticmethod
    def prepare(directory: Path, layout: Layout) -> None:
        """Write the files of a new, empty collection into ``directory``, which is made."""
        shard_directory = directory / _SHARD_DIRECTORY
        shard_directory.mkdir(parents=True)
        edge.EdgeShard.create(str(shard_directory), layout.engine_config()).close()
        (directory / _LAYOUT_FILE).write_bytes(orjson.dumps(layout.request))

    @staticmethod
    def is_complete(directory: Path) -> bool:
        """Whether ``directory`` holds a collection whose creation came to its end."""
        return (directory / _LAYOUT_FILE).is_file() and (directory / _SHARD_DIRECTORY).is_dir()

    @classmethod
    def load(cls, directory: Path) -> Collection:
        """Open the collection in ``directory``; what was written ahead is applied again."""
        layout = read_layout(orjson.loads((directory / _LAYOUT_FILE).read_bytes()))
        return cls(directory, layout, edge.EdgeShard.load(str(directory / _SHARD_DIRECTORY)))

    def apply(self, operations: Sequence[edge.UpdateOperation]) -> dict[str, object]:
        """Apply the operations in order, with no other write in between.

        Raises:
            ApiError: The collection was deleted meanwhile.
        """
        with self._writing:
            if self._is_closed:
                raise not_found(self.name)
            self._is_dirty = True
            for operation in operations:
                self.shard.update(operation)
            self._operations += 1
            return {"operation_id": self._operations, "status": "completed"}

    def add_sparse(self, name: str, data: object) -> None:
        """Let points have one more sparse vector; where they may already, nothing changes.

        Raises:
            ApiError: The request is malformed, or the collection was deleted meanwhile.
        """
        with self._writing:
            if self._is_closed:
                raise not_found(self.name)
            layout = with_sparse(self.layout, name, data)
            if name in self.layout.sparse:
                return
            # The engine first: it takes the same vector twice, should this process die between the two.
            self.shard.update(edge.UpdateOperation.create_sparse_vector(name, layout.sparse[name].modifier))
            self._is_dirty = True
            staged = self._directory / f"{_LAYOUT_FILE}.new"
            staged.write_bytes(orjson.dumps(layout.request))
            staged.replace(self._directory / _LAYOUT_FILE)
            self.layout = layout

    def flush(self) -> None:
        """Bring what the log holds into the segments, so that the log stays short."""
        with self._writing:
            if self._is_dirty and not self._is_closed:
                self.shard.flush()
                self._is_dirty = False

    def close(self) -> None:
        """Flush and release the files; safe to call twice."""
        self.flush()
        with self._writing:
            if not self._is_closed:
                self._is_closed = True
                self.shard.close()

    def describe(self) -> dict[str, object]:
        """Return what Qdrant shows of a collection; figures that mean nothing here are Qdrant's defaults."""
        info = self.shard.info()
        return {
            "status": "green",
            "optimizer_status": "ok",
            "points_count": info.points_count,
            "indexed_vectors_count": info.indexed_vectors_count,
            "segments_count": info.segments_count,
            "config": {
                "params": {**self.layout.request, "shard_number": 1, "replication_factor": 1},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10_000},
                "optimizer_config": {"default_segment_number": 0, "flush_interval_sec": 5},
            },
            "payload_schema": {name: _index_json(index) for name, index in info.payload_schema.items()},
        }


def _index_json(index: edge.PayloadIndexInfo) -> dict[str, object]:
    kind = SCHEMA_NAMES[index.data_type]
    shown: dict[str, object] = {"data_type": kind, "points": index.points}
    if isinstance(index.params, edge.KeywordIndexParams) and index.params.is_tenant is not None:
        shown["params"] = {"type": kind, "is_tenant": index.params.is_tenant}
    return shown
