"""Whatever an OpenAI-compatible endpoint does, a call ends as checked vectors or as an error that says what to do."""

from __future__ import annotations

import json
import struct
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from pipeline.errors import (
    BadCredentials,
    DimensionMismatch,
    IngestError,
    InputRejected,
    RateLimited,
    ServiceUnavailable,
)
from pipeline.identity import embed_hash
from pipeline.testing.openai_stub import Fault, OpenAIStub
from pipeline.testing.vectors import hashed_vector
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingReply
from worker.adapters.openai import OpenAIEmbedder
from worker.adapters.openai_errors import QuotaExhausted, RequestRefused, UnusableEndpoint


@pytest.fixture
def stub():
    with OpenAIStub(dims=8, api_key="right") as running:
        yield running


@pytest.fixture
def make(stub):
    made = []

    def build(api_key: str = "right", url: str = stub.url, dims: int = 8, **options) -> OpenAIEmbedder:
        made.append(OpenAIEmbedder(api_key, url, "stub-model", dims, timeout=options.pop("timeout", 10), **options))
        return made[-1]

    yield build
    for embedder in made:
        embedder.close()


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(embed_hash(text) for text in texts), texts)


def outcome(embedder: OpenAIEmbedder) -> EmbeddingReply | IngestError:
    """Return the reply to one call, or the error of its fault."""
    (only,) = embedder.embed([call("a text", "another")])
    if isinstance(only, EmbeddingFault):
        assert only.call == call("a text", "another")
        return only.error
    return only


def body(**error: object) -> bytes:
    return json.dumps({"error": {"message": "no", "type": "t", **error}}).encode()


def test_it_asks_for_base64_and_for_dimensions_only_when_told(stub, make):
    assert isinstance(outcome(make()), EmbeddingReply)
    assert stub.calls[-1].request == {
        "model": "stub-model",
        "input": ["a text", "another"],
        "encoding_format": "base64",
    }
    assert isinstance(outcome(make(dims=4, send_dimensions=True)), EmbeddingReply)
    assert stub.calls[-1].request["dimensions"] == 4


def test_a_server_that_answers_with_lists_of_floats_is_fine(stub, make):
    stub.only_floats = True
    reply = outcome(make())
    assert reply.vectors == (hashed_vector("a text", 8), hashed_vector("another", 8))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=401), BadCredentials),
        (Fault(status=403), BadCredentials),
        (Fault(status=400), InputRejected),
        (Fault(status=413), InputRejected),
        (Fault(status=400, body=body(param="dimensions")), RequestRefused),
        (Fault(status=404), RequestRefused),
        (Fault(status=429, body=body(code="insufficient_quota")), QuotaExhausted),
        (Fault(status=408), ServiceUnavailable),
        (Fault(status=424), ServiceUnavailable),
        (Fault(drop=1), ServiceUnavailable),
        (Fault(cut=True), ServiceUnavailable),
        (Fault(body=b"<html>hello</html>"), ServiceUnavailable),
        (Fault(body=b"[]"), ServiceUnavailable),
        (Fault(dims=5), DimensionMismatch),
    ],
)
def test_a_fault_becomes_the_error_that_fits_and_is_not_tried_again(stub, make, fault, expected):
    stub.faults.append(fault)
    assert type(outcome(make())) is expected
    assert len(stub.calls) == 1


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_vector_that_cannot_be_compared_is_never_returned(stub, make, value):
    stub.faults.extend([Fault(value=value)] * 2)
    reply = outcome(make())
    assert reply.vectors == ()
    assert [type(fault.error) for fault in reply.faults] == [InputRejected] * 2
    with pytest.raises(InputRejected):
        make().embed_query("where is it?")
    assert len(stub.calls) == 2


def test_one_bad_vector_spoils_no_other_of_its_call(stub, make):
    data = [{"embedding": [1.0] * 8}, {"embedding": None}]
    stub.faults.append(Fault(body=json.dumps({"data": data}).encode()))
    reply = outcome(make())
    assert reply.call == call("a text")
    assert reply.vectors == (struct.pack("<8f", *[1.0] * 8),)
    assert [fault.call for fault in reply.faults] == [call("another")]
    assert len(stub.calls) == 1


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=503), Fault(hang_up=True)])
def test_a_passing_fault_is_tried_again(stub, make, fault):
    stub.faults.extend([fault, fault])
    assert isinstance(outcome(make()), EmbeddingReply)
    assert len(stub.calls) == 3


def test_a_lasting_fault_is_given_up_after_three_tries_and_tells_what_was_answered(stub, make):
    stub.faults.extend([Fault(status=502)] * 9)
    error = outcome(make())
    assert isinstance(error, ServiceUnavailable)
    assert error.status == 502
    assert len(stub.calls) == 3


def test_a_server_that_is_not_there_is_unavailable_and_has_answered_nothing(make):
    error = outcome(make(url="http://127.0.0.1:9/v1"))
    assert isinstance(error, ServiceUnavailable)
    assert error.status is None


@pytest.mark.parametrize("options", [{"api_key": "clé"}, {"url": "http://localhost:abc/v1"}, {"url": "http://[::1"}])
def test_an_endpoint_that_no_request_can_be_made_to_is_a_matter_for_the_operator(make, options):
    error = outcome(make(**options))
    assert type(error) is UnusableEndpoint
    assert "OPENAI_BASE_URL" in str(error)
    with pytest.raises(UnusableEndpoint):
        make(**options).embed_query("where is it?")


def test_a_call_that_takes_too_long_is_unavailable(stub, make):
    stub.latency = 1.0
    assert isinstance(outcome(make(timeout=0.2)), ServiceUnavailable)
    assert len(stub.calls) <= 1


def test_a_wrong_key_is_said_so(stub, make):
    assert isinstance(outcome(make(api_key="wrong")), BadCredentials)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "0.25"}, 0.25, 0.25),
        ({"Retry-After-Ms": "1500"}, 1.5, 1.5),
        ({"Retry-After": "soon"}, 10, 10),
        ({}, 10, 10),
    ],
)
def test_a_429_is_handed_over_at_once_with_its_wait(stub, make, headers, least, most):
    stub.faults.append(Fault(status=429, headers=headers))
    error = outcome(make())
    assert isinstance(error, RateLimited)
    assert least <= error.retry_after <= most
    assert len(stub.calls) == 1


def test_a_429_may_name_its_wait_by_a_date(stub, make):
    # Made here: a date made when the tests are collected is past when they run late.
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    stub.faults.append(Fault(status=429, headers={"Retry-After": until}))
    error = outcome(make())
    assert isinstance(error, RateLimited)
    assert 60 <= error.retry_after <= 91


def test_after_a_429_nothing_more_is_sent_until_its_wait_is_over(stub, make):
    stub.faults.append(Fault(status=429, headers={"Retry-After": "60"}))
    embedder = make(concurrency=1)
    outcomes = list(embedder.embed([call(f"text {n}") for n in range(5)]))
    assert all(isinstance(each.error, RateLimited) for each in outcomes)
    assert {each.call.inputs[0] for each in outcomes} == {f"text {n}" for n in range(5)}
    assert len(stub.calls) == 1


def test_sending_goes_on_when_the_wait_is_over(stub, make):
    stub.faults.append(Fault(status=429, headers={"Retry-After": "0.1"}))
    embedder = make()
    assert isinstance(outcome(embedder), RateLimited)
    time.sleep(0.15)
    assert isinstance(outcome(embedder), EmbeddingReply)


def test_one_failed_call_leaves_the_others_alone(stub, make):
    stub.faults.append(Fault(status=400, text="bad"))
    outcomes = list(make().embed([call("good"), call("bad"), call("also good")]))
    replies = [each for each in outcomes if isinstance(each, EmbeddingReply)]
    assert {reply.call.inputs[0] for reply in replies} == {"good", "also good"}
    (fault,) = (each for each in outcomes if isinstance(each, EmbeddingFault))
    assert fault.call.inputs == ("bad",)
    assert isinstance(fault.error, InputRejected)


def test_calls_run_at_once_but_no_more_than_allowed(stub, make):
    stub.latency = 0.1
    assert len(list(make(concurrency=3).embed([call(f"text {n}") for n in range(9)]))) == 9
    assert stub.most_at_once == 3


def test_a_reply_is_handed_over_before_slower_calls_are_done(stub, make):
    stub.latency = 0.05
    iterator = make(concurrency=1).embed([call(f"text {n}") for n in range(20)])
    assert isinstance(next(iterator), EmbeddingReply)
    assert len(stub.calls) < 20
    iterator.close()


def test_closing_the_iterator_cancels_what_was_not_sent(stub, make):
    stub.latency = 0.05
    embedder = make(concurrency=1)
    iterator = embedder.embed([call(f"text {n}") for n in range(50)])
    next(iterator)
    iterator.close()
    embedder.close()
    sent = len(stub.calls)
    time.sleep(0.2)
    assert len(stub.calls) <= sent + 1 < 50


def test_a_query_raises_its_error(stub, make):
    stub.faults.append(Fault(status=401))
    with pytest.raises(BadCredentials):
        make().embed_query("where is it?")
    assert struct.unpack("<8f", make().embed_query("where is it?")) == struct.unpack(
        "<8f", hashed_vector("where is it?", 8)
    )


def test_the_environment_decides_nothing(stub, make, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    assert isinstance(outcome(make()), EmbeddingReply)
