"""Embed without a model: the words inside identifiers, hashed into a fixed number of dimensions.

Method: the text is cut into sub-words (``parseHTTPHeader_v2`` -> parse, http, header, v, 2; one word per Chinese,
Japanese or Korean character) in lower case. Each word, and each pair of neighbouring words at half the weight, is
hashed (BLAKE2b) to one of 384 dimensions and a sign. A feature that occurs n times weighs 1 + ln n. The vector is
scaled to length one and rounded to four decimals, which keeps it short in JSON.

What it is: deterministic, the same on every machine, needs no model file and no network, and fast. Texts that share
words are near each other. What it is not: it knows no meaning. ``delete`` and ``remove`` are strangers, rare words
count as much as common ones, and unrelated words share dimensions, so small similarities say nothing. Use a real
model where search quality matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector
from worker.adapters.known_models import LEXICAL

#: Dimensions of every vector.
DIMS = LEXICAL.dims

# Scripts without spaces between words: kana, Han, Hangul.
_SPACELESS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Any other letter that is no ASCII capital; only those begin a new word inside an identifier.
_LETTER = rf"[^\W\d_A-Z{_SPACELESS}]"

_WORD = re.compile(rf"[A-Z]+(?!{_LETTER})|[A-Z]?{_LETTER}+|\d+|[{_SPACELESS}]")

_PAIR_WEIGHT = 0.5
_DECIMALS = 4

# Odd 64-bit constants from the fractional parts of the golden ratio and of pi; they mix two hashes into a pair's.
_MIX_LEFT = np.uint64(0x9E3779B97F4A7C15)
_MIX_RIGHT = np.uint64(0x243F6A8885A308D3)


class LexicalEmbedder:
    """The embedder described above; see ``pipeline.ports.Embedder`` for what it promises. It never fails."""

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this embedder returns: ``local/lexical-v1/384``."""
        return LEXICAL

    def embed(self, calls: Sequence[EmbeddingCall]) -> Iterator[EmbeddingReply | EmbeddingFault]:
        """Yield the reply to each call, in order. ``tokens`` is the number of words."""
        for call in calls:
            embedded = [_embed(text) for text in call.inputs]
            yield EmbeddingReply(call, tuple(vector for vector, _ in embedded), sum(words for _, words in embedded))

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query."""
        return _embed(text)[0]

    def close(self) -> None:
        """Do nothing; there is nothing to release."""


def _embed(text: str) -> tuple[Vector, int]:
    words = _WORD.findall(text)
    # A text without words is one empty word, so that it too has a direction.
    hashes = np.fromiter(map(_hash, words or [""]), dtype=np.uint64)
    pairs = (hashes[:-1] * _MIX_LEFT) ^ (hashes[1:] * _MIX_RIGHT)
    vector = _scatter(hashes) + _PAIR_WEIGHT * _scatter(pairs ^ (pairs >> np.uint64(32)))
    if not vector.any():  # opposite signs met in every dimension
        vector[int(hashes[0]) % DIMS] = 1.0
    unit = np.round(vector / np.sqrt(vector @ vector), _DECIMALS)
    return unit.astype("<f4").tobytes(), len(words)


def _scatter(features: NDArray[np.uint64]) -> NDArray[np.float64]:
    distinct, counts = np.unique(features, return_counts=True)
    signs = 1.0 - 2.0 * (distinct & np.uint64(1)).astype(np.float64)
    slots = ((distinct >> np.uint64(1)) % np.uint64(DIMS)).astype(np.intp)
    return np.bincount(slots, weights=signs * (1.0 + np.log(counts)), minlength=DIMS).astype(np.float64)


@lru_cache(maxsize=65_536)
def _hash(word: str) -> int:
    return int.from_bytes(blake2b(word.lower().encode(), digest_size=8).digest(), "little")
