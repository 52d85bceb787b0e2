"""The names of collections, and the numbers that are sent to them."""

from __future__ import annotations

import json
import struct
from uuid import uuid4

import numpy as np
import pytest

from pipeline.errors import DimensionMismatch
from pipeline.types import EmbeddingModel, Scope, SearchFilter
from worker.adapters.qdrant import QdrantIndex, _numbers, alias_of
from worker.adapters.qdrant_calls import connect_qdrant


def index_of(dims: int) -> QdrantIndex:
    return QdrantIndex(connect_qdrant("http://127.0.0.1:9"), EmbeddingModel("p", "m", dims))


def test_every_model_has_an_alias_of_its_own():
    models = [
        EmbeddingModel("openai", "text-embedding-3-small", 1536),
        EmbeddingModel("openai", "text-embedding-3-small", 512),
        EmbeddingModel("other", "text-embedding-3-small", 512),
        EmbeddingModel("openai", "Text Embedding 3/small", 512),
        EmbeddingModel("openai", "模型" * 100, 512),
        EmbeddingModel("openai", "x" * 400, 512),
    ]
    aliases = [alias_of(model) for model in models]
    assert len(set(aliases)) == len(aliases)
    assert aliases[0].startswith("mobius-text-embedding-3-small-1536-")
    for alias in aliases:
        assert len(alias) < 100
        assert set(alias) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_limits_of_one_call_do_not_change_the_alias():
    small = EmbeddingModel("openai", "m", 8, max_inputs=2)
    assert alias_of(small) == alias_of(EmbeddingModel("openai", "m", 8))


def test_numbers_are_sent_exactly_and_with_nine_decimals_where_they_do():
    vectors = [struct.pack("<4f", 0.1234, -0.5, 1 / 3, 1e-12), struct.pack("<4f", 1, 2, 3, 4)]
    numbers = _numbers(vectors)
    assert json.dumps(numbers[0][:2]) == "[0.123400003, -0.5]"
    assert [np.array(each, dtype="<f4").tobytes() for each in numbers] == vectors


def test_a_vector_of_other_dimensions_is_never_sent():
    index = index_of(4)
    short = struct.pack("<3f", 1, 2, 3)
    with pytest.raises(DimensionMismatch, match="3 dimensions"):
        index._require_dims([struct.pack("<4f", 1, 2, 3, 4), short])
    # Any of these that got as far as connecting would fail: nobody may connect here.
    with pytest.raises(DimensionMismatch, match="3 dimensions"):
        index.search(Scope(uuid4(), uuid4()), short, 5, SearchFilter())
    index.close()


@pytest.mark.parametrize(("dims", "points"), [(4, 256), (384, 256), (1536, 248), (3072, 124), (1_000_000, 1)])
def test_a_request_stays_small_whatever_the_dimensions(dims, points):
    index = index_of(dims)
    assert index._batch == points
    index.close()
