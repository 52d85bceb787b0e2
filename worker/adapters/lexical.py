"""Embed without a model: words, their first letters and pairs, hashed into a fixed number of dimensions.

Method: the text's terms are the words of identifiers and the first three letters of those that say something, which
weigh 1 each time, and the pairs of neighbouring words, which weigh 0.4 once. Each is hashed to one of 384 dimensions
and a sign, and a weight w above 1 counts as 1 + ln w. The vector is scaled to length one and rounded to four decimals,
which keeps it short in JSON.

The terms are those of a query in version 1 of ``pipeline.sparse``, and stay so. Others would be another model, whose
index has nothing to find until every document is embedded again; a sparse vector is replaced where it stands.

What it is: deterministic, the same on every machine, needs no model file and no network, and fast. Texts that share
words are near each other. What it is not: it knows no meaning. ``delete`` and ``remove`` are strangers, rare words
count as much as common ones, and unrelated words share dimensions, so small similarities say nothing. The sparse
vector ranks better; use a real model beside that where search quality matters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np

from pipeline.errors import NotBegun
from pipeline.sparse import SILENT_WORDS
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector
from worker.adapters.known_models import LEXICAL

#: Dimensions of every vector.
DIMS = LEXICAL.dims

_DECIMALS = 4

# What a pair weighs: 0.4, rounded to 64ths.
_PAIR_WEIGHT = 26 / 64

# Characters of an identifier; of a word's beginning.
_MAX_IDENTIFIER = 128
_STEM_LETTERS = 3

# Scripts without spaces between words; any other letter that is no ASCII capital.
_SPACELESS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_LETTER = rf"[^\W\d_A-Z{_SPACELESS}]"
_IDENTIFIER = re.compile(r"\w+")
_WORD = re.compile(rf"[A-Z]+(?!{_LETTER})|[A-Z]?{_LETTER}+|\d+|[{_SPACELESS}]")

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
    # A text without words is one term, so that it too has a direction.
    terms = _terms(text) or {0: 1.0}
    indices = sorted(terms)
    mixed = np.array(indices, dtype=np.uint64) * _MIX >> _HIGH
    signs = 1.0 - 2.0 * (mixed & np.uint64(1)).astype(np.float64)
    slots = ((mixed >> np.uint64(1)) % np.uint64(DIMS)).astype(np.intp)
    counts = np.array([terms[index] for index in indices])
    weights = np.minimum(counts, 1.0) + np.log(np.maximum(counts, 1.0))
    vector = np.bincount(slots, weights=signs * weights, minlength=DIMS)
    if not vector.any():  # opposite signs met in every dimension
        vector[slots[0]] = 1.0
    unit = np.round(vector / np.sqrt(vector @ vector), _DECIMALS)
    return unit.astype("<f4").tobytes(), len(indices)


def _terms(text: str) -> Mapping[int, float]:
    """Return the weights of the text's terms by their hashes."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    identifiers = (identifier[:_MAX_IDENTIFIER] for identifier in _IDENTIFIER.findall(plain))
    words = [word.lower() for identifier in identifiers for word in _WORD.findall(identifier)]
    loud = [word for word in words if word not in SILENT_WORDS]
    stems = [f"{word[:_STEM_LETTERS]}*" for word in loud if len(word) >= _STEM_LETTERS]
    weights: dict[int, float] = {}
    for terms, weight in ((loud or words, 1.0), (stems, 1.0), ({*_pairs(words), *_pairs(loud)}, _PAIR_WEIGHT)):
        for term in terms:
            index = crc32(term.encode())
            weights[index] = weights.get(index, 0.0) + weight
    return weights


def _pairs(words: Iterable[str]) -> Iterator[str]:
    return (f"{left} {right}" for left, right in pairwise(words))
