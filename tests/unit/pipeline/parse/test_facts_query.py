"""The queries are valid for their grammars, made once, and take the references out of a grammar's tags query."""

from __future__ import annotations

import pytest

from pipeline.parse.facts_query import errors_query, facts_query, reference_patterns, table_of
from pipeline.parse.languages import LANGUAGES

CAPTURES = {"scope", "lambda", "parameter", "return", "doc", "branch", "decorator"} | {
    *("import", "caller", "argument", "reference", "element"),
}


@pytest.mark.parametrize("language", sorted(name for name in LANGUAGES if table_of(name) is not None))
def test_a_query_captures_words_of_ours_only_and_is_made_once(language: str) -> None:
    query = facts_query(language)
    assert query is not None
    names = {query.capture_name(i) for i in range(query.capture_count)}
    assert {name for name in names if not name.startswith("_")} <= CAPTURES
    assert {"branch", "reference", "scope"} <= names
    assert facts_query(language) is query
    assert errors_query(language) is errors_query(language)


def test_what_has_no_table_has_no_query() -> None:
    assert facts_query("text") is None
    assert facts_query("json") is None
    assert table_of("nonsense") is None


def test_references_are_taken_out_of_a_tags_query_with_their_name_alone() -> None:
    tags = """
    ; a comment with a ( bracket
    (class name: (_) @name) @definition.class
    (call function: [(identifier) @name (attribute attribute: (identifier) @name)]) @reference.call
    ((call method: (identifier) @name) @reference.send (#not-match? @name "^(a|b)$"))
    ([(identifier) (constant)] @name @reference.call (#is-not? local))
    "(" @punctuation
    """
    first, second = (" ".join(pattern.split()) for pattern in reference_patterns(tags))
    assert first == "(call function: [(identifier) @reference (attribute attribute: (identifier) @reference)])"
    assert second == "((call method: (identifier) @reference) )"


def test_a_grammar_without_tags_has_no_such_references() -> None:
    assert reference_patterns("") == []
