"""The names of collections, and the numbers that are sent to them."""

from __future__ import annotations

import json
import struct
from uuid import UUID

import numpy as np
import pytest

from pipeline.errors import DimensionMismatch
from pipeline.search import SearchVectors
from pipeline.types import EmbeddingModel, Point, Scope, SearchFilter
from worker.adapters.qdrant import QdrantIndex
from worker.adapters.qdrant_calls import connect_qdrant
from worker.adapters.qdrant_layout import alias_of
from worker.adapters.qdrant_requests import numbers


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


def test_numbers_are_sent_exactly_and_as_short_as_they_can_be():
    vectors = [struct.pack("<4f", 0.025, -0.5, 1 / 3, 1e-12), struct.pack("<4f", 0, 1, 0.125, -3.75)]
    sent = numbers(vectors)
    assert json.dumps(sent[0][:2]) == "[0.025, -0.5]"
    assert [np.array(row, dtype="<f4").tobytes() for row in sent] == vectors


def test_a_vector_of_other_dimensions_is_never_sent():
    index = index_of(4)
    with pytest.raises(DimensionMismatch, match="3 dimensions"):
        index.upsert(Scope(UUID(int=1), UUID(int=2)), [Point(UUID(int=3), 1, struct.pack("<3f", 1, 2, 3), {})])
    with pytest.raises(DimensionMismatch, match="3 dimensions"):
        index.search(Scope(UUID(int=1), UUID(int=2)), SearchVectors(struct.pack("<3f", 1, 2, 3)), 1, SearchFilter())
    index.close()


@pytest.mark.parametrize(("dims", "points"), [(4, 256), (384, 256), (1536, 248), (3072, 124), (1_000_000, 1)])
def test_a_request_stays_small_whatever_the_dimensions(dims, points):
    index = index_of(dims)
    assert index._batch == points
    index.close()
