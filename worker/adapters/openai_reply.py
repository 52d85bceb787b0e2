"""Read what an embeddings endpoint answered, and believe none of it before it is checked.

A provider that answers too few vectors, vectors of other dimensions, half a document or numbers that are none must
never lead to a stored vector: what is paid for and wrong is worse than what is missing. One bad vector spoils no other.
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
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingModel, EmbeddingReply, Vector

SERVICE = "The embedding provider"

_UNUSABLE = f"{SERVICE} returns no usable vector for a chunk of this file (zero, or no number); exclude the file."
_NO_NUMBERS = np.zeros(0, dtype="<f4")


def read_reply(call: EmbeddingCall, model: EmbeddingModel, body: bytes) -> EmbeddingReply:
    """Return the reply to ``call`` from the body of a successful answer: what is paid for and usable is kept.

    A text whose vector is missing, zero or no finite number is a fault of that text. ``tokens`` is the provider's
    count for all of them; where it sends none, our own estimate.

    Raises:
        ServiceUnavailable: The body is cut short, or is not what an embeddings endpoint answers.
        DimensionMismatch: No vector is of the model's dimensions.
    """
    try:
        answer = json.loads(body)
    except ValueError as exc:
        raise _nonsense("is no complete JSON document") from exc
    if not isinstance(answer, Mapping):
        raise _nonsense("is no JSON object")
    items = _in_order(answer.get("data"), len(call.inputs))
    vectors = [_numbers(item.get("embedding")) for item in items]
    _check_dimensions(vectors, model)
    return _sorted_out(call, [_usable(numbers, model) for numbers in vectors], _tokens(answer.get("usage"), call))


def _sorted_out(call: EmbeddingCall, vectors: Sequence[Vector | None], tokens: int) -> EmbeddingReply:
    hashes, inputs, usable, faults = [], [], [], []
    for embed_hash, text, vector in zip(call.hashes, call.inputs, vectors, strict=True):
        if vector is None:
            faults.append(EmbeddingFault(EmbeddingCall((embed_hash,), (text,)), InputRejected(_UNUSABLE)))
        else:
            hashes.append(embed_hash)
            inputs.append(text)
            usable.append(vector)
    return EmbeddingReply(EmbeddingCall(tuple(hashes), tuple(inputs)), tuple(usable), tokens, tuple(faults))


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


def _check_dimensions(vectors: Sequence[NDArray[np.float32]], model: EmbeddingModel) -> None:
    lengths = {len(numbers) for numbers in vectors if len(numbers)}
    if lengths and model.dims not in lengths:
        raise DimensionMismatch(
            f"{SERVICE} returns {min(lengths)} dimensions for {model.name}, and {model.dims} are configured; "
            "correct the dimensions or the model's name."
        )


def _usable(numbers: NDArray[np.float32], model: EmbeddingModel) -> Vector | None:
    if len(numbers) != model.dims or not np.isfinite(numbers).all() or not numbers.any():
        return None
    return numbers.tobytes()


def _numbers(data: object) -> NDArray[np.float32]:
    """Return a vector's numbers, none for what cannot be read as one."""
    try:
        if isinstance(data, str):
            return np.frombuffer(base64.b64decode(data, validate=True), dtype="<f4")
        if isinstance(data, list) and all(isinstance(number, int | float) for number in data):
            # A number that float32 cannot hold becomes infinite, and is not used for it.
            with np.errstate(over="ignore"):
                return np.asarray(data, dtype="<f4")
    except (binascii.Error, ValueError, OverflowError):
        pass
    return _NO_NUMBERS


def _tokens(usage: object, call: EmbeddingCall) -> int:
    count = usage.get("prompt_tokens", usage.get("total_tokens")) if isinstance(usage, Mapping) else None
    if isinstance(count, int) and count > 0:
        return count
    return sum(map(estimate_tokens, call.inputs))
