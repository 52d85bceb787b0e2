"""Embed without a model: the terms of the sparse vector, hashed into a fixed number of dimensions.

Method: the text's terms are those of a query (``pipeline.sparse``: words of identifiers, their first letters, pairs).
Each is hashed to one of 384 dimensions and a sign, and a weight w above 1 counts as 1 + ln w. The vector is scaled to
length one and rounded to four decimals, which keeps it short in JSON.

What it is: deterministic, the same on every machine, needs no model file and no network, and fast. Texts that share
words are near each other. What it is not: it knows no meaning. ``delete`` and ``remove`` are strangers, rare words
count as much as common ones, and unrelated words share dimensions, so small similarities say nothing. The sparse
vector, which it is made of, ranks better; use a real model beside that where search quality matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pipeline.errors import NotBegun
from pipeline.sparse import query_vector
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector
from worker.adapters.known_models import LEXICAL

#: Dimensions of every vector.
DIMS = LEXICAL.dims

_DECIMALS = 4

# The 64-bit golden ratio; its products' high bits depend on every bit of a term's hash.
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HIGH = np.uint64(32)


class LexicalEmbedder:
    """The embedder described above; see ``pipeline.ports.Embedder`` for what it promises. It fails only when halted."""

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this embedder returns: ``local/lexical-v2/384``."""
        return LEXICAL

    def embed(
        self, calls: Sequence[EmbeddingCall], is_halted: Callable[[], bool] = lambda: False
    ) -> Iterator[EmbeddingReply | EmbeddingFault]:
        """Yield the reply to each call, in order. ``tokens`` is the number of distinct terms, at least one a text."""
        for call in calls:
            if is_halted():
                yield EmbeddingFault(call, NotBegun())
                continue
            embedded = [_embed(text) for text in call.inputs]
            yield EmbeddingReply(call, tuple(vector for vector, _ in embedded), sum(terms for _, terms in embedded))

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query."""
        return _embed(text)[0]

    def close(self) -> None:
        """Do nothing; there is nothing to release."""


def _embed(text: str) -> tuple[Vector, int]:
    terms = query_vector(text)
    # A text without words is one term, so that it too has a direction.
    indices = terms.indices or (0,)
    mixed = np.array(indices, dtype=np.uint64) * _MIX >> _HIGH
    signs = 1.0 - 2.0 * (mixed & np.uint64(1)).astype(np.float64)
    slots = ((mixed >> np.uint64(1)) % np.uint64(DIMS)).astype(np.intp)
    counts = np.array(terms.values or (1.0,))
    weights = np.minimum(counts, 1.0) + np.log(np.maximum(counts, 1.0))
    vector = np.bincount(slots, weights=signs * weights, minlength=DIMS)
    if not vector.any():  # opposite signs met in every dimension
        vector[slots[0]] = 1.0
    unit = np.round(vector / np.sqrt(vector @ vector), _DECIMALS)
    return unit.astype("<f4").tobytes(), len(indices)
