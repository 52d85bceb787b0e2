"""Read what an embeddings endpoint answered, and believe none of it before it is checked.

A provider that answers too few vectors, vectors of other dimensions, half a document or numbers that are none must
never lead to a stored vector: what is paid for and wrong is worse than what is missing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.embed import estimate_tokens
from pipeline.errors import DimensionMismatch, InputRejected, ServiceUnavailable
from pipeline.types import EmbeddingCall, EmbeddingModel, EmbeddingReply, Vector

SERVICE = "The embedding provider"


def read_reply(call: EmbeddingCall, model: EmbeddingModel, body: bytes) -> EmbeddingReply:
    """Return the reply to ``call`` from the body of a successful answer.

    ``tokens`` is the provider's count; where it sends none, our own estimate.

    Raises:
        ServiceUnavailable: The body is cut short, or is not what an embeddings endpoint answers.
        DimensionMismatch: The vectors are not of the model's dimensions.
        InputRejected: A vector is zero, or holds something that is no finite number.
    """
    try:
        answer = json.loads(body)
    except ValueError as exc:
        raise _nonsense("is no complete JSON document") from exc
    if not isinstance(answer, Mapping):
        raise _nonsense("is no JSON object")
    items = _in_order(answer.get("data"), len(call.inputs))
    vectors = tuple(_vector(item.get("embedding"), model) for item in items)
    return EmbeddingReply(call, vectors, _tokens(answer.get("usage"), call))


def _nonsense(what: str) -> ServiceUnavailable:
    return ServiceUnavailable(SERVICE, f"{SERVICE} answers something that {what}; check its address and its log.")


def _in_order(data: object, expected: int) -> Sequence[Mapping[str, object]]:
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise _nonsense("has no list of vectors")
    if len(data) != expected:
        raise _nonsense(f"has {len(data)} vectors for {expected} texts")
    indices = [item.get("index", position) for position, item in enumerate(data)]
    if not all(isinstance(index, int) for index in indices) or sorted(indices) != list(range(expected)):
        raise _nonsense("does not say which vector belongs to which text")
    return [item for _, item in sorted(zip(indices, data, strict=True), key=lambda pair: pair[0])]


def _vector(data: object, model: EmbeddingModel) -> Vector:
    numbers = _numbers(data)
    if len(numbers) != model.dims:
        raise DimensionMismatch(
            f"{SERVICE} returns {len(numbers)} dimensions for {model.name}, and {model.dims} are configured; "
            "correct the dimensions or the model's name."
        )
    if not np.isfinite(numbers).all() or not numbers.any():
        raise InputRejected(
            f"{SERVICE} returns a vector that is zero or no number for one of {model.name}'s inputs; exclude the file."
        )
    return numbers.tobytes()


def _numbers(data: object) -> NDArray[np.float32]:
    try:
        if isinstance(data, str):
            return np.frombuffer(base64.b64decode(data, validate=True), dtype="<f4")
        if isinstance(data, list) and all(isinstance(number, int | float) for number in data):
            # A number that float32 cannot hold becomes infinite, and is refused for it.
            with np.errstate(over="ignore"):
                return np.asarray(data, dtype="<f4")
    except (binascii.Error, ValueError, OverflowError) as exc:
        raise _nonsense("holds a broken vector") from exc
    raise _nonsense("holds a vector that is neither base64 nor a list of numbers")


def _tokens(usage: object, call: EmbeddingCall) -> int:
    count = usage.get("prompt_tokens", usage.get("total_tokens")) if isinstance(usage, Mapping) else None
    if isinstance(count, int) and count > 0:
        return count
    return sum(map(estimate_tokens, call.inputs))
