"""What was refused is split instead of sent again; a single text always gets another chance."""

from __future__ import annotations

from pipeline.types import EmbeddingCall
from worker.adapters import refused_calls
from worker.adapters.refused_calls import RefusedCalls


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(text.encode() for text in texts), texts)


def test_a_refused_call_of_several_texts_is_remembered() -> None:
    refused = RefusedCalls()
    refused.add(call("a", "b"))
    assert call("a", "b") in refused
    assert call("b", "a") not in refused
    assert call("a") not in refused


def test_a_single_text_is_not_remembered() -> None:
    refused = RefusedCalls()
    refused.add(call("a"))
    assert call("a") not in refused


def test_the_oldest_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(refused_calls, "_REMEMBERED", 2)
    refused = RefusedCalls()
    for text in "abc":
        refused.add(call(text, "x"))
    assert [call(text, "x") in refused for text in "abc"] == [False, True, True]
