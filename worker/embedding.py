"""Choose the embedder, its model and its index by the settings. Each is imported only when it is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.budget import NoLimit, ProviderBudget
from pipeline.types import EmbeddingModel
from worker.adapters.known_models import LEXICAL, openai_model
from worker.settings import Settings

if TYPE_CHECKING:
    from pipeline.ports import Embedder, Index, Limiter, QueryEmbedder


def embedding_model(settings: Settings) -> EmbeddingModel:
    """Return the model that the settings choose."""
    if settings.embedder == "openai":
        largest = provider_budget(settings).largest_call
        return openai_model(
            settings.openai_model,
            settings.openai_dims,
            settings.openai_max_inputs,
            largest,
            settings.openai_max_input_tokens,
        )
    return LEXICAL


def provider_budget(settings: Settings) -> ProviderBudget:
    """Return what all processes together may ask of the provider in a minute."""
    return ProviderBudget(settings.openai_rpm, settings.openai_tpm)


def build_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings choose.

    Raises:
        MisconfiguredError: There is a budget to share, and Redis's address is not set.
    """
    if settings.embedder == "openai":
        from worker.adapters.openai import OpenAIEmbedder  # noqa: PLC0415  the SDK takes 0.5 s to import

        key = settings.openai_api_key
        return OpenAIEmbedder(
            api_key=key.get_secret_value() if key else "",
            base_url=settings.openai_base_url,
            model_name=settings.openai_model,
            dims=settings.openai_dims,
            concurrency=settings.openai_concurrency,
            timeout=settings.openai_timeout,
            max_inputs=settings.openai_max_inputs,
            max_tokens=provider_budget(settings).largest_call,
            max_input_tokens=settings.openai_max_input_tokens,
            limiter=build_limiter(settings),
        )
    from worker.adapters.lexical import LexicalEmbedder  # noqa: PLC0415  the other one is not needed

    return LexicalEmbedder()


def build_query_embedder(settings: Settings, make_embedder: Callable[[], Embedder]) -> QueryEmbedder:
    """Return what embeds queries: through a cache in Redis where that saves a provider call."""
    model = embedding_model(settings)
    if not model.is_semantic or settings.redis_url is None:
        return make_embedder()
    from worker.adapters.query_cache import CachedQueries  # noqa: PLC0415  the client is not needed without a provider

    return CachedQueries(make_embedder, model, settings.broker_url)


def build_limiter(settings: Settings) -> Limiter:
    """Return the budget that the settings give the provider. Where there is none, nobody asks Redis.

    Raises:
        MisconfiguredError: There is a budget to share, and Redis's address is not set.
    """
    budget = provider_budget(settings)
    if not budget.is_limited:
        return NoLimit()
    from worker.adapters.limiter import RedisLimiter  # noqa: PLC0415  the client is not needed without a budget

    return RedisLimiter(budget, settings.broker_url, embedding_model(settings).key)


def build_index(settings: Settings, model: EmbeddingModel) -> Index:
    """Return the index of a model.

    Raises:
        MisconfiguredError: Qdrant's address is not set.
    """
    from worker.adapters.qdrant import open_index  # noqa: PLC0415  the client takes 1.2 s to import

    return open_index(settings.require("qdrant_url"), qdrant_key(settings), model)


def qdrant_key(settings: Settings) -> str | None:
    """Return Qdrant's API key, None where it asks for none."""
    return settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None
