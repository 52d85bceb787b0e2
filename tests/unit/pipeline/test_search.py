"""The mode that suits a model, the spelling of places, and what a search must have."""

from __future__ import annotations

import pytest

from pipeline.search import SearchMode, SearchVectors, default_mode, fused_depth, places_from, places_of
from pipeline.types import EmbeddingModel


def test_only_a_model_that_knows_meaning_is_fused_by_default() -> None:
    assert default_mode(EmbeddingModel("p", "m", 8)) is SearchMode.HYBRID
    assert default_mode(EmbeddingModel("p", "m", 8, is_semantic=False)) is SearchMode.SPARSE


def test_a_document_is_in_each_directory_above_it_and_is_its_own_place() -> None:
    assert places_of("a/b/c.py") == ["a", "a/b", "a/b/c.py"]
    assert places_of("c.py") == ["c.py"]


@pytest.mark.parametrize(
    ("paths", "places"),
    [
        ([], ()),
        (["a/b"], ("a/b",)),
        (["./a//b/", "c.py"], ("a/b", "c.py")),
        (["."], ()),
        (["/"], ()),
        (["a", "."], ()),
        (["../a"], ("../a",)),
    ],
)
def test_paths_are_spelled_as_places_are_and_the_root_is_no_restriction(paths: list[str], places: tuple) -> None:
    assert places_from(paths) == places


def test_a_search_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a vector"):
        SearchVectors()


def test_rankings_are_fused_deeper_than_what_is_shown() -> None:
    assert fused_depth(1) >= 100
    assert fused_depth(4_096) >= 4_096
