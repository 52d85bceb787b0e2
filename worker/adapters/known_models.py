"""The models that the embedders offer, known without importing an embedder: numpy and the SDK take a while."""

from __future__ import annotations

from dataclasses import replace

from pipeline.types import EmbeddingModel

#: The model of ``worker.adapters.lexical``.
LEXICAL = EmbeddingModel(
    "local",
    "lexical-v2",
    384,
    max_inputs=256,
    max_tokens=1_000_000,
    max_input_tokens=1_000_000,
    is_semantic=False,
)


def openai_model(
    name: str, dims: int, max_inputs: int, max_tokens: int | None = None, max_input_tokens: int = 8_000
) -> EmbeddingModel:
    """Return a model at an OpenAI-compatible endpoint; ``max_tokens`` lowers what one call may carry."""
    model = EmbeddingModel("openai", name, dims, max_inputs=max_inputs, max_input_tokens=max_input_tokens)
    return model if max_tokens is None else replace(model, max_tokens=min(model.max_tokens, max_tokens))
