"""Weigh the words of a text for ranking by BM25, without any state: the index adds how rare each word is.

Method: every identifier is cut into its words (``parseHTTPHeader_v2`` -> parse, http, header, v, 2; one word per
Chinese, Japanese or Korean character), in lower case. Three kinds of terms stand for it:

- each word; of a query, those that say nothing (``the``, ``self``) only where it has no others;
- the first three letters of each word that says something: they join config and configuration, arg and arguments;
- each pair of neighbouring words, as one word: inside of one identifier in a document, anywhere in a query. They join
  OAuth and oauth, fileName and filename. A name of more words is one word too where neither a pair nor its first
  letters tell that: onKeyDown, isNaN.

A document's term weighs f (k1 + 1) / (f + k1 (1 - b + b n / average)), as in Robertson and Zaragoza, The
Probabilistic Relevance Framework: BM25 and Beyond (2009), where f counts how often the term occurs and
n how many words the text has. What the header says counts more than once, the names that the chunk defines most. The
score is the sum over the query's terms of query weight x idf x document weight; the index knows the idf.

The same text gives the same vector in every process and on every machine. Two terms with the same hash count as one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise
from zlib import crc32

from pipeline.header import split_header

#: Grows with every change to the vector of the same text; vectors of different versions do not mix.
SPARSE_VERSION = 2

#: How often a line of the header counts, where the code itself counts once.
PATH_WEIGHT = 2
SCOPE_WEIGHT = 2
DEFINES_WEIGHT = 10

#: BM25: how late a repeated word stops to add weight, and how much a long text is held against it.
K1 = 4.0
B = 0.5
#: Words of a chunk with its header, on average over 8,209 chunks of the default budget from 800 files.
AVERAGE_WORDS = 180

#: What a pair weighs in a query, where a word and a stem weigh 1, and so does a pair inside of one identifier.
PAIR_WEIGHT = 0.45

#: Letters of a stem.
STEM_LETTERS = 3

#: Weights are whole multiples of 1/64, which are the same number in 32 bits, and short in JSON.
_STEPS = 64

#: Characters. What is longer is data, and its beginning has to do.
_MAX_IDENTIFIER = 128

_SILENT = """
    a about all also am an and any are as at be because been being both but by can could did do does each either
    for from had has have having he her here hers him his how however i if in into is it its itself may me might
    more most must my neither no nor not of on once one only or other our ours s shall she should since so some such
    t than that the their theirs them then there these they this those through thus to too unless until us very was
    we were what when where whether which while who whom whose why will with within without would yet you your yours
    cls def self
"""
#: Articles, pronouns, auxiliaries, conjunctions and prepositions; and how Python calls the object at hand.
SILENT_WORDS = frozenset(_SILENT.split())

# Scripts without spaces between words: kana, Han, Hangul.
_SPACELESS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# Any other letter that is no ASCII capital; only those begin a new word inside an identifier.
_LETTER = rf"[^\W\d_A-Z{_SPACELESS}]"
_IDENTIFIER = re.compile(r"\w+")
# First comes an acronym in the plural: the words of parseURLs are parse, url and s.
_WORD = re.compile(rf"[A-Z]{{2,}}(?=s(?!{_LETTER}))|[A-Z]+(?!{_LETTER})|[A-Z]?{_LETTER}+|\d+|[{_SPACELESS}]")
# In words with a space between them: three or more in letters, and three or more of at most two letters.
_SPACED = rf"[^\W\d_{_SPACELESS}]"
_NAME = re.compile(rf"(?<!\S){_SPACED}+(?: {_SPACED}+){{2,}}(?!\S)")
_INITIALS = re.compile(rf"(?<!\S){_SPACED}{{1,2}}(?: {_SPACED}{{1,2}}){{2,}}(?!\S)")


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Weights by term: ``indices`` ascending and unique, 32 bits; ``values`` positive float32; equally many."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


def document_vector(embedding_input: str) -> SparseVector:
    """Return the weights of a chunk's terms, from what ``pipeline.header.embedding_input`` made of it."""
    header, body = split_header(_normalised(embedding_input))
    counts: dict[int, int] = {}
    words = _count(body, 1, counts)
    for text, weight in ((header.path, PATH_WEIGHT), (header.scope, SCOPE_WEIGHT), (header.defines, DEFINES_WEIGHT)):
        words += _count(text, weight, counts)
    saturation = K1 * (1 - B + B * words / AVERAGE_WORDS)
    return _vector({term: count * (K1 + 1) / (count + saturation) for term, count in counts.items()})


def query_vector(text: str) -> SparseVector:
    """Return the weights of a query's terms, each as often as it occurs; a pair of two identifiers once."""
    identifiers = [_words(identifier) for identifier in _identifiers(_normalised(text))]
    words = list(chain.from_iterable(identifiers))
    loud = _loud(words)
    weights: dict[int, float] = {}
    pairs = {*_pairs(words), *_pairs(loud)}
    inner = chain.from_iterable(map(_pairs, identifiers))
    joined = chain.from_iterable(map(_joined, identifiers))
    for terms, weight in (
        (loud or words, 1.0),
        (_stems(loud), 1.0),
        (pairs, PAIR_WEIGHT),
        (inner, 1 - PAIR_WEIGHT),
        (joined, 1.0),
    ):
        for term in map(_hash, terms):
            weights[term] = weights.get(term, 0.0) + weight
    return _vector(weights)


def _count(text: str, weight: int, counts: dict[int, int]) -> int:
    """Add the terms of ``text`` to ``counts``, ``weight`` times each, and return how many words there are."""
    words = 0
    for identifier, occurrences in Counter(_IDENTIFIER.findall(text)).items():
        terms, length = _terms(identifier[:_MAX_IDENTIFIER])
        words += length * occurrences
        gain = weight * occurrences
        for term in terms:
            counts[term] = counts.get(term, 0) + gain
    return words


def _vector(weights: Mapping[int, float]) -> SparseVector:
    indices = sorted(weights)
    return SparseVector(tuple(indices), tuple([(round(weights[term] * _STEPS) or 1) / _STEPS for term in indices]))


def _normalised(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _identifiers(text: str) -> Iterator[str]:
    return (identifier[:_MAX_IDENTIFIER] for identifier in _IDENTIFIER.findall(text))


@lru_cache(maxsize=16_384)
def _terms(identifier: str) -> tuple[tuple[int, ...], int]:
    """Return the terms that stand for an identifier in a document, and how many words it has."""
    words = _words(identifier)
    return tuple(map(_hash, (*words, *_stems(_loud(words)), *_pairs(words), *_joined(words)))), len(words)


def _words(identifier: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(identifier)]


def _loud(words: Iterable[str]) -> list[str]:
    return [word for word in words if word not in SILENT_WORDS]


def _stems(words: Iterable[str]) -> Iterator[str]:
    return (f"{word[:STEM_LETTERS]}*" for word in words if len(word) >= STEM_LETTERS)


def _pairs(words: Iterable[str]) -> Iterator[str]:
    return (left + right for left, right in pairwise(words))


def _joined(words: Sequence[str]) -> Iterable[str]:
    """Return names of three or more words as one word: initials, and where the first has no stem to meet them by."""
    if len(words) < 3:
        return ()
    line = " ".join(words)
    names = [name for name in _NAME.findall(line) if _has_no_stem(name.partition(" ")[0])]
    return {name.replace(" ", "") for name in (*names, *_INITIALS.findall(line))}


def _has_no_stem(word: str) -> bool:
    return len(word) < STEM_LETTERS or word in SILENT_WORDS


def _hash(term: str) -> int:
    return crc32(term.encode())
