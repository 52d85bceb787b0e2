"""Every embedder keeps the promises of ``pipeline.ports.Embedder``: the fake, the local one and OpenAI's client."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import sqrt

import pytest

from pipeline.embed import pack_calls
from pipeline.errors import NotBegun
from pipeline.identity import embed_hash
from pipeline.ports import Embedder
from pipeline.testing import RecordingEmbedder
from pipeline.testing.openai_stub import OpenAIStub
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply
from worker.adapters.lexical import LexicalEmbedder
from worker.adapters.openai import OpenAIEmbedder


@pytest.fixture(params=["recording", "lexical", "openai"])
def embedder(request) -> Iterator[Embedder]:
    if request.param == "openai":
        with OpenAIStub(dims=8, latency=0.02) as stub:
            made: Embedder = OpenAIEmbedder("key", stub.url, "stub-model", 8, timeout=10, max_inputs=2)
            yield made
            made.close()
        return
    made = RecordingEmbedder() if request.param == "recording" else LexicalEmbedder()
    yield made
    made.close()


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(embed_hash(text) for text in texts), texts)


def norm(vector: bytes) -> float:
    return sqrt(sum(number * number for number in struct.unpack(f"<{len(vector) // 4}f", vector)))


def test_every_call_is_answered_once_with_as_many_vectors_as_texts(embedder):
    calls = [call("def one(): pass", "def two(): pass"), call("class Three:"), call("four", "five")]
    replies = list(embedder.embed(calls))
    assert all(isinstance(reply, EmbeddingReply) for reply in replies)
    assert sorted(reply.call.inputs for reply in replies) == sorted(each.inputs for each in calls)
    for reply in replies:
        assert [len(vector) for vector in reply.vectors] == [4 * embedder.model.dims] * len(reply.call.inputs)
        assert reply.tokens > 0


def test_vectors_depend_on_the_text_alone(embedder):
    (alone,) = embedder.embed([call("def one(): pass")])
    (beside,) = embedder.embed([call("class Other:", "def one(): pass")])
    assert beside.vectors[1] == alone.vectors[0]
    assert beside.vectors[0] != alone.vectors[0]
    assert embedder.embed_query("def one(): pass") == alone.vectors[0]


@pytest.mark.parametrize("text", ["x", "   ", "日本語のコメント", "emoji 🎉", "\x00\x01", "0" * 5000])
def test_no_text_makes_a_zero_vector(embedder, text):
    (reply,) = embedder.embed([call(text)])
    assert norm(reply.vectors[0]) == pytest.approx(1.0, abs=1e-3)


def test_no_calls_make_no_replies(embedder):
    assert list(embedder.embed([])) == []


def test_a_call_that_was_not_begun_when_its_stage_was_halted_is_not_made(embedder):
    halted: list[bool] = []
    calls = [call(f"text {n}") for n in range(20)]
    outcomes = []
    for outcome in embedder.embed(calls, lambda: bool(halted)):
        outcomes.append(outcome)
        halted.append(True)
    made = [each for each in outcomes if isinstance(each, EmbeddingReply)]
    left = [each for each in outcomes if isinstance(each, EmbeddingFault)]
    assert {type(fault.error) for fault in left} == {NotBegun}
    assert 1 <= len(made) < 20
    assert sorted(each.call.inputs for each in outcomes) == sorted(each.inputs for each in calls)
    assert all(isinstance(each, EmbeddingReply) for each in embedder.embed([fault.call for fault in left]))


def test_what_pack_calls_makes_fits(embedder):
    texts = [f"text number {n}" for n in range(5)]
    packed = pack_calls([(embed_hash(text), text) for text in texts], embedder.model)
    replies = list(embedder.embed(packed.calls))
    assert sum(len(reply.vectors) for reply in replies) == 5


def test_the_model_is_fixed_and_close_may_be_called_twice(embedder):
    assert isinstance(embedder.model, EmbeddingModel)
    assert embedder.model == embedder.model
    embedder.close()
    embedder.close()
