"""Nothing that an endpoint answers is believed before it is checked."""

from __future__ import annotations

import base64
import json
import struct

import pytest

from pipeline.errors import DimensionMismatch, InputRejected, ServiceUnavailable
from pipeline.types import EmbeddingCall, EmbeddingModel
from worker.adapters.openai_reply import read_reply

MODEL = EmbeddingModel("testing", "two", 2)
CALL = EmbeddingCall((b"1", b"2"), ("first text", "second"))
ONE, TWO = struct.pack("<2f", 1, 2), struct.pack("<2f", 3, 4)


def answer(*vectors: object, **more: object) -> bytes:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return json.dumps({"data": data, "usage": {"prompt_tokens": 7}} | more).encode()


def test_base64_and_lists_of_numbers_are_both_read():
    reply = read_reply(CALL, MODEL, answer(base64.b64encode(ONE).decode(), [3, 4.0]))
    assert reply.vectors == (ONE, TWO)
    assert (reply.call, reply.tokens) == (CALL, 7)


def test_vectors_out_of_order_find_their_texts():
    data = [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]
    assert read_reply(CALL, MODEL, answer(data=data)).vectors == (ONE, TWO)


def test_vectors_without_an_index_are_in_order():
    data = [{"embedding": [1, 2]}, {"embedding": [3, 4]}]
    assert read_reply(CALL, MODEL, answer(data=data)).vectors == (ONE, TWO)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": "many"}, []])
def test_tokens_are_estimated_where_the_provider_does_not_count(usage):
    assert read_reply(CALL, MODEL, answer([1, 2], [3, 4], usage=usage)).tokens == 6


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        answer(data=None),
        answer(data=[None, None]),
        answer([1, 2]),
        answer([1, 2], [3, 4], [5, 6]),
        answer(data=[{"index": 0, "embedding": [1, 2]}, {"index": 0, "embedding": [3, 4]}]),
        answer(data=[{"index": "a", "embedding": [1, 2]}, {"index": "b", "embedding": [3, 4]}]),
    ],
)
def test_nonsense_is_a_fault_of_the_service(body):
    with pytest.raises(ServiceUnavailable):
        read_reply(CALL, MODEL, body)


@pytest.mark.parametrize("vector", [[1], [1, 2, 3], base64.b64encode(ONE + TWO).decode()])
@pytest.mark.parametrize("other", [[1, 2, 3], None], ids=["all", "all that can be read"])
def test_other_dimensions_are_a_matter_for_the_operator(vector, other):
    with pytest.raises(DimensionMismatch, match="2 are configured"):
        read_reply(CALL, MODEL, answer(vector, other))


@pytest.mark.parametrize(
    "vector",
    [
        [0, 0],
        [float("nan"), 1],
        [float("inf"), 1],
        [1e300, 1],
        None,
        [],
        ["3", "4"],
        [None, 1],
        "not base64!",
        base64.b64encode(ONE[:-1]).decode(),
        [10**400, 1],
        [1, 2, 3],
    ],
)
@pytest.mark.parametrize("bad", [0, 1])
def test_a_vector_that_cannot_be_used_is_a_fault_of_its_text_and_the_others_are_kept(vector, bad):
    vectors = [[3, 4], [3, 4]]
    vectors[bad] = vector
    reply = read_reply(CALL, MODEL, answer(*vectors))
    assert (reply.call.hashes, reply.call.inputs) == ((CALL.hashes[1 - bad],), (CALL.inputs[1 - bad],))
    assert reply.vectors == (TWO,)
    assert reply.tokens == 7, "all were paid for"
    (fault,) = reply.faults
    assert fault.call == EmbeddingCall((CALL.hashes[bad],), (CALL.inputs[bad],))
    assert isinstance(fault.error, InputRejected)
    assert "exclude the file" in str(fault.error)


def test_a_reply_without_one_vector_that_can_be_used_is_paid_for_all_the_same():
    reply = read_reply(CALL, MODEL, answer(None, [0, 0]))
    assert (reply.call.hashes, reply.vectors, reply.tokens) == ((), (), 7)
    assert [fault.call.hashes for fault in reply.faults] == [(b"1",), (b"2",)]
