"""Carry batches out: buy the vectors, COPY, upsert; in a few threads beside the parsing, over warm clients."""

from __future__ import annotations

import queue
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from benchmarks import limit_store as store
from benchmarks.clock import Clock
from benchmarks.limit_batches import Batch, Batches
from benchmarks.limit_points import Points
from pipeline.identity import model_id
from pipeline.types import Claim, EmbeddingFault, Scope, Stage, Token
from worker.embedding import build_embedder, build_index, qdrant_key
from worker.settings import Settings

#: Calls that may wait beside those under way, per call at once: enough to keep them going, and memory bounded.
_AHEAD = 2


class Limit:
    """Takes trees in, one after the other, over the same warm clients. ``threads`` 0: one thing after the other."""

    def __init__(self, settings: Settings, clock: Clock, threads: int) -> None:
        self._embedder = build_embedder(settings)
        self._model = self._embedder.model
        self._model_id = model_id(self._model.key)
        database_url, qdrant_url = settings.require("database_url"), settings.require("qdrant_url")
        store.make_tables(database_url)
        self._connections: queue.SimpleQueue[store.Connection] = queue.SimpleQueue()
        for _ in range(max(1, threads)):
            self._connections.put(store.connect(database_url))
        build_index(settings, self._model).ensure()
        self._points = Points(qdrant_url, qdrant_key(settings), self._model)
        self._batches = Batches(settings, clock)
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._at_once = threads * _AHEAD
        self.clock = clock

    def run(self, root: Path) -> dict[str, object]:
        """Take a tree in; return its scope and counts."""
        claim = _claim()
        under_way: list[Future[int]] = []
        points = 0
        counts = {"files": 0, "failed": 0, "chunks": 0, "calls": 0}
        for batch in self._batches.of(root, claim, counts):
            counts["calls"] += bool(batch.call.inputs)
            if self._pool is None:
                points += self._finish(claim, batch)
                continue
            under_way.append(self._pool.submit(self._finish, claim, batch))
            while len(under_way) > self._at_once:
                points += under_way.pop(0).result()
        points += sum(future.result() for future in under_way)
        return {"project": str(claim.scope.project_id), **counts, "points": points}

    def forget_times(self) -> None:
        """Start counting CPU time anew."""
        self.clock.seconds.clear()

    def close(self) -> None:
        """Release everything."""
        if self._pool is not None:
            self._pool.shutdown()
        self._embedder.close()

    def _finish(self, claim: Claim, batch: Batch) -> int:
        with self.clock("embed"):
            vectors = self._buy(batch)
        connection = self._connections.get()
        try:
            with self.clock("copy"):
                batch.rows.embeddings += store.embedding_rows(vectors, self._model_id)
                store.copy_rows(connection, batch.rows)
        finally:
            self._connections.put(connection)
        with self.clock("upsert"):
            return self._points.write(claim, batch.call, batch.pieces, vectors)

    def _buy(self, batch: Batch) -> Mapping[bytes, bytes]:
        if not batch.call.inputs:
            return {}
        (outcome,) = self._embedder.embed([batch.call])
        if isinstance(outcome, EmbeddingFault):
            raise outcome.error
        return dict(zip(outcome.call.hashes, outcome.vectors, strict=True))


def _claim() -> Claim:
    scope = Scope(uuid4(), uuid4())
    return Claim(Token(uuid4(), Stage.PARSE, 1), uuid4(), uuid4(), uuid4(), scope, 1)
