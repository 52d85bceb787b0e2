"""Remember the vectors of search queries, so that no query is paid for twice while it is remembered.

``mobius:query:<model key>:<slot>`` is the SHA-256 of a query's text followed by its vector (float32). There are
``SLOTS`` slots per model, chosen by that hash; a query takes over the slot of another, so at 1,536 dimensions a model
takes 25 MB of Redis at most, whatever is asked. An entry expires a week after it was bought. Losing them, by expiry or
FLUSHALL, costs one call each.

It never fails a search: what Redis does not answer at once is bought, and Redis then is not asked for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from pipeline.identity import embed_hash
from pipeline.ports import Embedder
from pipeline.types import EmbeddingModel, Vector

log = structlog.get_logger(__name__)

SLOTS = 4_096
#: How long a vector is remembered (s).
_KEPT = 7 * 24 * 3600
#: How long one answer of Redis may take (s); a person waits for the search.
_TIMEOUT = 0.25
#: For how long Redis is not asked after it did not answer (s).
_PAUSE = 30.0


class CachedQueries:
    """Embeds queries, each once; see ``pipeline.ports.QueryEmbedder``. The embedder is made when it is needed."""

    def __init__(self, make_embedder: Callable[[], Embedder], model: EmbeddingModel, redis_url: str) -> None:
        self._make_embedder = make_embedder
        self._model = model
        # One more try, because the connection may be one that a restart of Redis has cut.
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 1)
        )
        self._resting_until = 0.0

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query.

        Raises:
            IngestError: What the embedder raises; nothing of the cache's own.
        """
        digest = embed_hash(text)
        remembered = self._read(digest)
        if remembered is not None:
            return remembered
        vector = self._make_embedder().embed_query(text)
        self._write(digest, vector)
        return vector

    def close(self) -> None:
        """Release connections; safe to call twice."""
        self._redis.close()

    def _read(self, digest: bytes) -> Vector | None:
        stored = self._ask(lambda: self._redis.get(self._key(digest)))
        if not isinstance(stored, bytes) or len(stored) != len(digest) + 4 * self._model.dims:
            return None
        return stored[len(digest) :] if stored.startswith(digest) else None

    def _write(self, digest: bytes, vector: Vector) -> None:
        self._ask(lambda: self._redis.set(self._key(digest), digest + vector, ex=_KEPT))

    def _ask(self, question: Callable[[], object]) -> object:
        if time.monotonic() < self._resting_until:
            return None
        try:
            return question()
        except redis.RedisError as exc:
            self._resting_until = time.monotonic() + _PAUSE
            log.warning("query_cache_unavailable", reason=str(exc))
            return None

    def _key(self, digest: bytes) -> str:
        return f"mobius:query:{self._model.key}:{int.from_bytes(digest[:4], 'big') % SLOTS}"
