"""The budget of the settings reaches the embedder, and costs nothing where there is none."""

from __future__ import annotations

import pytest

from pipeline.budget import NoLimit, ProviderBudget
from pipeline.errors import MisconfiguredError
from pipeline.search import SearchMode
from pipeline.testing import RecordingEmbedder
from worker.adapters.lexical import LexicalEmbedder
from worker.adapters.limiter import RedisLimiter
from worker.adapters.query_cache import CachedQueries
from worker.embedding import (
    build_embedder,
    build_limiter,
    build_query_embedder,
    embedding_model,
    provider_budget,
)
from worker.searching import search_mode
from worker.settings import load_settings

OPENAI = {"MOBIUS_EMBEDDER": "openai", "OPENAI_API_KEY": "key", "REDIS_URL": "redis://127.0.0.1:9"}


def test_without_a_budget_nobody_asks_redis() -> None:
    settings = load_settings({name: value for name, value in OPENAI.items() if name != "REDIS_URL"})
    assert not provider_budget(settings).is_limited
    assert isinstance(build_limiter(settings), NoLimit)
    build_embedder(settings).close()


@pytest.mark.parametrize(
    ("environ", "budget"),
    [
        ({"MOBIUS_OPENAI_RPM": "500"}, ProviderBudget(500, 0)),
        ({"MOBIUS_OPENAI_TPM": "40000"}, ProviderBudget(0, 40_000)),
        ({"MOBIUS_OPENAI_RPM": "3", "MOBIUS_OPENAI_TPM": "7"}, ProviderBudget(3, 7)),
    ],
)
def test_either_limit_makes_a_budget_that_is_shared_in_redis(environ, budget) -> None:
    settings = load_settings(OPENAI | environ)
    assert provider_budget(settings) == budget
    limiter = build_limiter(settings)
    assert isinstance(limiter, RedisLimiter)
    limiter.close()


def test_a_budget_without_a_redis_to_share_it_in_is_refused() -> None:
    given = OPENAI | {"MOBIUS_OPENAI_RPM": "3", "REDIS_URL": ""}
    with pytest.raises(MisconfiguredError, match="REDIS_URL is not set"):
        build_embedder(load_settings(given))


@pytest.mark.parametrize(("tpm", "tokens"), [("0", 200_000), ("1000000", 50_000), ("100000000", 200_000), ("7", 1)])
def test_calls_are_packed_so_that_none_is_a_large_part_of_the_budget(tpm, tokens) -> None:
    settings = load_settings(OPENAI | {"MOBIUS_OPENAI_TPM": tpm})
    embedder = build_embedder(settings)
    assert embedder.model.max_tokens == tokens
    assert embedder.model == embedding_model(settings)
    embedder.close()


def test_the_budget_is_no_part_of_what_a_model_is() -> None:
    plain, limited = (embedding_model(load_settings(OPENAI | extra)) for extra in ({}, {"MOBIUS_OPENAI_TPM": "1000"}))
    assert plain.key == limited.key


@pytest.mark.parametrize("name", ["MOBIUS_OPENAI_RPM", "MOBIUS_OPENAI_TPM"])
@pytest.mark.parametrize("value", ["-1", "many", "1.5"])
def test_a_limit_that_is_none_is_refused(name, value) -> None:
    with pytest.raises(MisconfiguredError, match=name):
        load_settings({name: value})


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({}, SearchMode.SPARSE),
        (OPENAI, SearchMode.HYBRID),
        ({"MOBIUS_SEARCH_MODE": "hybrid"}, SearchMode.HYBRID),
        (OPENAI | {"MOBIUS_SEARCH_MODE": "dense"}, SearchMode.DENSE),
    ],
)
def test_a_search_ranks_as_suits_the_model_unless_the_settings_say_otherwise(environ, mode) -> None:
    assert search_mode(load_settings(environ)) is mode


@pytest.mark.parametrize(("environ", "kind"), [({}, LexicalEmbedder), (OPENAI, CachedQueries)])
def test_only_queries_that_cost_a_call_are_remembered(environ, kind) -> None:
    settings = load_settings({"REDIS_URL": "redis://127.0.0.1:9"} | environ)
    assert isinstance(build_query_embedder(settings, lambda: build_embedder(settings)), kind)


def test_without_redis_queries_are_embedded_all_the_same() -> None:
    settings = load_settings(OPENAI | {"REDIS_URL": ""})
    embedder = RecordingEmbedder()
    assert build_query_embedder(settings, lambda: embedder) is embedder
