"""What the recording embedder does beyond the port: it records, and it fails when told to."""

from __future__ import annotations

import pytest

from pipeline.errors import InputRejected, RateLimited, ServiceUnavailable
from pipeline.testing import RecordingEmbedder, hashed_vector
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingReply


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(text.encode() for text in texts), texts)


def test_what_is_bought_twice_is_recorded_twice():
    embedder = RecordingEmbedder()
    list(embedder.embed([call("a", "b"), call("a")]))
    assert embedder.bought == ["a", "b", "a"]
    assert [each.inputs for each in embedder.calls] == [("a", "b"), ("a",)]


def test_the_script_is_followed_call_by_call():
    embedder = RecordingEmbedder()
    limited = RateLimited(3.0)
    embedder.script.extend([limited, None])
    first, second, third = embedder.embed([call("a"), call("b"), call("c")])
    assert first == EmbeddingFault(call("a"), limited)
    assert isinstance(second, EmbeddingReply)
    assert isinstance(third, EmbeddingReply)
    assert embedder.bought == ["b", "c"]


def test_a_call_with_a_refused_text_is_rejected_whole():
    embedder = RecordingEmbedder()
    embedder.refused.add("poison")
    (rejected,) = embedder.embed([call("fine", "some poison")])
    assert rejected.call == call("fine", "some poison")
    assert isinstance(rejected.error, InputRejected)
    assert embedder.bought == []


def test_a_call_with_a_failing_text_is_answered_with_a_failure():
    embedder = RecordingEmbedder()
    embedder.failing.add("poison")
    failed, reply = embedder.embed([call("fine", "some poison"), call("fine")])
    assert isinstance(failed.error, ServiceUnavailable)
    assert failed.error.status == 500
    assert isinstance(reply, EmbeddingReply)
    assert embedder.bought == ["fine"]


def test_a_spoiled_text_is_paid_for_and_has_no_vector():
    embedder = RecordingEmbedder()
    embedder.spoiled.add("poison")
    (reply,) = embedder.embed([call("fine", "some poison")])
    assert reply.call == call("fine")
    assert reply.vectors == (hashed_vector("fine", 8),)
    assert [fault.call for fault in reply.faults] == [call("some poison")]
    assert embedder.bought == ["fine", "some poison"]
    with pytest.raises(InputRejected):
        embedder.embed_query("poison")


def test_a_query_is_recorded_apart_and_may_fail():
    embedder = RecordingEmbedder()
    assert embedder.embed_query("where") == hashed_vector("where", 8)
    embedder.script.append(RateLimited(1.0))
    with pytest.raises(RateLimited):
        embedder.embed_query("where")
    assert (embedder.queries, embedder.bought) == (["where", "where"], [])
