"""Pack texts into provider calls: each distinct text once, in bounded calls, and nothing silently cut.

A text that no call may carry is returned as rejected, so that its document fails with a reason instead of being
embedded in part. The order of the calls and of the texts in them follows the order of the inputs, so the same
inputs always make the same calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.errors import InputRejected
from pipeline.types import EmbeddingCall, EmbeddingModel

#: UTF-8 bytes per token, chosen low. Source code has about 3.5, English 4.5, and one Chinese or Japanese character
#: (3 bytes) is about one token, so that an estimate is too high rather than too low.
BYTES_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class PackedCalls:
    """The calls to make, and the texts that cannot be embedded: their hashes, each with its reason."""

    calls: tuple[EmbeddingCall, ...]
    rejected: Mapping[bytes, InputRejected]


def estimate_tokens(text: str) -> int:
    """Estimate the number of tokens of ``text``, rather too high than too low."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def pack_calls(inputs: Iterable[tuple[bytes, str]], model: EmbeddingModel) -> PackedCalls:
    """Pack (hash, text) pairs into calls of at most ``max_inputs`` texts and ``max_tokens`` estimated tokens.

    A text that alone is above ``max_tokens`` but not above ``max_input_tokens`` travels in a call of its own. Empty
    texts and texts above ``max_input_tokens`` are rejected.
    """
    rejected: dict[bytes, InputRejected] = {}
    calls: list[EmbeddingCall] = []
    pending: dict[bytes, str] = {}
    pending_tokens = 0
    for digest, text in dict(inputs).items():
        tokens = estimate_tokens(text)
        if reason := _reason_against(tokens, model):
            rejected[digest] = reason
            continue
        if pending and (len(pending) >= model.max_inputs or pending_tokens + tokens > model.max_tokens):
            calls.append(_call(pending))
            pending, pending_tokens = {}, 0
        pending[digest] = text
        pending_tokens += tokens
    if pending:
        calls.append(_call(pending))
    return PackedCalls(tuple(calls), rejected)


def halve(call: EmbeddingCall) -> tuple[EmbeddingCall, EmbeddingCall]:
    """Split a call that was refused, so that trying the halves finds the one text that the provider will not have.

    Raises:
        ValueError: The call has only one text, which then is the one.
    """
    if len(call.hashes) < 2:
        raise ValueError("a call of one text cannot be split")
    middle = len(call.hashes) // 2
    return (
        EmbeddingCall(call.hashes[:middle], call.inputs[:middle]),
        EmbeddingCall(call.hashes[middle:], call.inputs[middle:]),
    )


def first_apart(call: EmbeddingCall) -> tuple[EmbeddingCall, ...]:
    """Return a call of the first text alone, and one of the others if there are any."""
    if len(call.hashes) < 2:
        return (call,)
    return EmbeddingCall(call.hashes[:1], call.inputs[:1]), EmbeddingCall(call.hashes[1:], call.inputs[1:])


def _reason_against(tokens: int, model: EmbeddingModel) -> InputRejected | None:
    if tokens == 0:
        return InputRejected("There is no text to embed; exclude the file.")
    if tokens > model.max_input_tokens:
        return InputRejected(
            f"A chunk has about {tokens} tokens, and {model.name} takes {model.max_input_tokens}; "
            "exclude the file, or use a model with a larger context."
        )
    return None


def _call(pending: Mapping[bytes, str]) -> EmbeddingCall:
    return EmbeddingCall(tuple(pending), tuple(pending.values()))
