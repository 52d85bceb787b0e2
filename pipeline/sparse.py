"""Weigh the words of a text for lexical search: a sparse vector per chunk and per query, in the manner of BM25.

Method: identifiers are cut into sub-words (``parseHTTPHeader_v2`` -> parse, http, header, v, 2) in lower case, and an
identifier of several counts as a whole too. A word's index is a hash of it (BLAKE2b, 32 bits), the same in every
process. A document's word that occurs n times weighs ``n * (K1 + 1) / (n + K1 * (1 - B + B * length / MEAN_WORDS))``
(Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009). How rare a word is depends on all documents,
so that factor (IDF) is the index's to apply, to the query.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

#: Grows with every change to what vectors come out; points with vectors of another version are written again.
SPARSE_VERSION = 1

K1 = 1.2
B = 0.75
#: Words in a typical chunk with its header; a constant, so that a vector depends on nothing but its text.
MEAN_WORDS = 180

_IDENTIFIER = re.compile(r"[^\W_]+(?:_+[^\W_]+)*")
# Scripts without spaces between words: one word per character of kana, Han and Hangul.
_SPACELESS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_LOWER = rf"[^\W\d_A-Z{_SPACELESS}]"
_PART = re.compile(rf"[A-Z]+(?!{_LOWER})|[A-Z]?{_LOWER}+|\d+|[{_SPACELESS}]")


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Weights by index: the indices ascend, each an unsigned 32-bit number that occurs once; every value is above 0."""

    indices: tuple[int, ...] = ()
    values: tuple[float, ...] = ()


def document_vector(embedding_input: str) -> SparseVector:
    """Return the vector of a chunk from what its embedder is given: saturated, scaled by length, without IDF."""
    counts = Counter(_words(embedding_input))
    norm = K1 * (1 - B + B * counts.total() / MEAN_WORDS)
    return _vector((word, count * (K1 + 1) / (count + norm)) for word, count in counts.items())


def query_vector(text: str) -> SparseVector:
    """Return the vector of a query: how often it says each word. The index multiplies each by its IDF."""
    return _vector((word, float(count)) for word, count in Counter(_words(text)).items())


def _words(text: str) -> Iterator[str]:
    for identifier in _IDENTIFIER.findall(text):
        parts = _PART.findall(identifier)
        yield from (part.lower() for part in parts)
        if len(parts) > 1:
            yield identifier.lower()


def _vector(weights: Iterable[tuple[str, float]]) -> SparseVector:
    by_index: dict[int, float] = {}
    for word, weight in weights:
        index = _index(word)
        by_index[index] = by_index.get(index, 0.0) + weight
    ordered = sorted(by_index.items())
    return SparseVector(tuple(index for index, _ in ordered), tuple(round(value, 4) for _, value in ordered))


@lru_cache(maxsize=65_536)
def _index(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=4).digest(), "little")
