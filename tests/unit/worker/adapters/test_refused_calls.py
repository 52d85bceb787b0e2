"""What was refused is split instead of sent again; a single text always gets another chance."""

from __future__ import annotations

from pipeline.types import EmbeddingCall
from worker.adapters import refused_calls
from worker.adapters.refused_calls import RefusedCalls


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(text.encode() for text in texts), texts)


def test_a_refused_call_of_several_texts_must_be_split() -> None:
    refused = RefusedCalls()
    refused.add(call("a", "b"))
    assert refused.must_be_split(call("a", "b"))
    assert not refused.must_be_split(call("b", "a"))
    assert not refused.must_be_split(call("a"))


def test_a_single_text_gets_another_chance_after_all_others() -> None:
    refused = RefusedCalls()
    refused.add(call("b"))
    assert not refused.must_be_split(call("b"))
    assert refused.last([call("c"), call("b"), call("a")]) == [call("c"), call("a"), call("b")]


def test_the_oldest_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(refused_calls, "_REMEMBERED", 2)
    refused = RefusedCalls()
    for text in "abc":
        refused.add(call(text, "x"))
    assert [call(text, "x") in refused for text in "abc"] == [False, True, True]
