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
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import chain

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
    counts = _counts(embedding_input)
    norm = K1 * (1 - B + B * counts.total() / MEAN_WORDS)
    indices = sorted(counts)
    return SparseVector(
        tuple(indices), tuple([round(counts[each] * (K1 + 1) / (counts[each] + norm), 4) for each in indices])
    )


def query_vector(text: str) -> SparseVector:
    """Return the vector of a query: how often it says each word. The index multiplies each by its IDF."""
    counts = _counts(text)
    indices = sorted(counts)
    return SparseVector(tuple(indices), tuple([float(counts[each]) for each in indices]))


def _counts(text: str) -> Counter[int]:
    """Count the text's words by their index."""
    return Counter(chain.from_iterable(map(_indices, _IDENTIFIER.findall(text))))


@lru_cache(maxsize=65_536)
def _indices(identifier: str) -> tuple[int, ...]:
    """Return the index of each word in an identifier, and of the whole."""
    words = [part.lower() for part in _PART.findall(identifier)]
    if len(words) > 1:
        words.append(identifier.lower())
    return tuple([int.from_bytes(blake2b(word.encode(), digest_size=4).digest(), "little") for word in words])
