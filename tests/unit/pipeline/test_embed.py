"""Packing texts into calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.embed import estimate_tokens, first_apart, halve, pack_calls
from pipeline.errors import InputRejected
from pipeline.identity import embed_hash
from pipeline.types import EmbeddingCall, EmbeddingModel

MODEL = EmbeddingModel("testing", "small", 4, max_inputs=3, max_tokens=20, max_input_tokens=30)


def pairs(*texts: str) -> list[tuple[bytes, str]]:
    return [(embed_hash(text), text) for text in texts]


def packed_inputs(*texts: str) -> list[tuple[str, ...]]:
    return [call.inputs for call in pack_calls(pairs(*texts), MODEL).calls]


def test_a_text_that_occurs_twice_is_bought_once():
    assert packed_inputs("a", "b", "a", "b") == [("a", "b")]


def test_hashes_stay_beside_their_texts():
    (call,) = pack_calls(pairs("a", "b"), MODEL).calls
    assert call.hashes == (embed_hash("a"), embed_hash("b"))


def test_no_call_has_more_texts_than_allowed():
    assert packed_inputs("a", "b", "c", "d") == [("a", "b", "c"), ("d",)]


def test_no_call_has_more_tokens_than_allowed():
    assert packed_inputs("x" * 30, "y" * 30, "z") == [("x" * 30, "y" * 30), ("z",)]


def test_a_text_above_the_calls_bound_travels_alone():
    assert packed_inputs("a", "x" * 80, "b") == [("a",), ("x" * 80,), ("b",)]


def test_a_text_above_the_models_bound_is_rejected_and_never_cut():
    packed = pack_calls(pairs("fits", "x" * 91), MODEL)
    assert [call.inputs for call in packed.calls] == [("fits",)]
    assert list(packed.rejected) == [embed_hash("x" * 91)]
    reason = packed.rejected[embed_hash("x" * 91)]
    assert isinstance(reason, InputRejected)
    assert "31 tokens" in str(reason)


def test_an_empty_text_is_rejected():
    assert list(pack_calls(pairs(""), MODEL).rejected) == [embed_hash("")]


def test_nothing_makes_no_calls():
    assert pack_calls([], MODEL).calls == ()


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 2), ("日本", 2), ("🎉", 2)])
def test_tokens_are_estimated_from_utf8_bytes(text, tokens):
    assert estimate_tokens(text) == tokens


@given(st.lists(st.text(max_size=120)))
def test_every_text_is_in_one_call_or_rejected(texts):
    packed = pack_calls(pairs(*texts), MODEL)
    sent = [digest for call in packed.calls for digest in call.hashes]
    assert len(sent) == len(set(sent))
    assert set(sent) | set(packed.rejected) == {embed_hash(text) for text in texts}
    assert not set(sent) & set(packed.rejected)
    for call in packed.calls:
        assert 1 <= len(call.inputs) <= MODEL.max_inputs
        assert len(call.inputs) == 1 or sum(map(estimate_tokens, call.inputs)) <= MODEL.max_tokens
    assert packed.calls == pack_calls(pairs(*texts), MODEL).calls


def test_halving_keeps_every_text_in_order():
    left, right = halve(EmbeddingCall((b"1", b"2", b"3"), ("a", "b", "c")))
    assert (left.inputs, right.inputs) == (("a",), ("b", "c"))
    assert (left.hashes, right.hashes) == ((b"1",), (b"2", b"3"))


def test_a_single_text_cannot_be_halved():
    with pytest.raises(ValueError, match="one text"):
        halve(EmbeddingCall((b"1",), ("a",)))


def test_the_first_text_of_a_call_can_be_taken_apart():
    whole = EmbeddingCall((b"1", b"2", b"3"), ("one", "two", "three"))
    first, others = first_apart(whole)
    assert first == EmbeddingCall((b"1",), ("one",))
    assert others == EmbeddingCall((b"2", b"3"), ("two", "three"))
    assert first_apart(first) == (first,)
