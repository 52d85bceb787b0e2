"""Sparse vectors hold what an index needs of them, the same in every process."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sparse import SparseVector, document_vector, query_vector

TEXT = "# src/basket.py\ndef reserveEveryLine(self, lines_of_basket): ...  # größe 数量\n"


def weight(vector: SparseVector, word: str) -> float:
    """Return what a vector weighs a word of one part."""
    (index,) = query_vector(word).indices
    return dict(zip(vector.indices, vector.values, strict=True)).get(index, 0.0)


@given(st.text())
def test_indices_ascend_and_every_value_is_above_zero(text: str) -> None:
    for vector in (document_vector(text), query_vector(text)):
        assert list(vector.indices) == sorted(set(vector.indices))
        assert len(vector.indices) == len(vector.values)
        assert all(0 <= index < 2**32 for index in vector.indices)
        assert all(value > 0 for value in vector.values)


def test_the_words_inside_identifiers_are_found() -> None:
    vector = document_vector(TEXT)
    for word in ("reserve", "every", "line", "lines", "basket", "src", "größe", "数"):
        assert weight(vector, word) > 0, word
    assert weight(vector, "absent") == 0


def test_a_word_that_occurs_more_often_weighs_more_but_ever_less_so() -> None:
    one, two, ten = (weight(document_vector("other " * (20 - n) + "word " * n), "word") for n in (1, 2, 10))
    assert one < two < ten < 5 * one


def test_the_same_word_weighs_less_in_a_longer_text() -> None:
    assert weight(document_vector("word " + "other " * 500), "word") < weight(document_vector("word other"), "word")


def test_what_has_no_words_has_no_weights() -> None:
    assert document_vector(" \n+-*/") == query_vector("") == SparseVector((), ())


def test_another_process_makes_the_same_vector() -> None:
    program = f"from pipeline.sparse import document_vector; print(document_vector({TEXT!r}).indices)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == str(document_vector(TEXT).indices)
