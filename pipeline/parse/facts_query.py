"""The query that finds a language's facts: our own patterns, and the references of the grammar's tags query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module

import tree_sitter

from pipeline.parse.facts_tables import TABLES, FactsTable
from pipeline.parse.languages import grammar_of, language_of

_ERRORS = "(ERROR) @error (MISSING) @error"
#: What moves the nesting of a query's text, and what hides brackets: strings and comments.
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|;[^\n]*|[()\[\]]')
_PREDICATE = re.compile(r'\(#(?:"(?:\\.|[^"\\])*"|[^()"])*\)')


def table_of(language: str) -> FactsTable | None:
    """Return what is known of a language's facts, None if nothing is."""
    return TABLES.get(language_of(language).module)


@cache
def facts_query(language: str) -> tree_sitter.Query | None:
    """Return the query for a language, made at its first use; None where there is no table or no grammar."""
    table, grammar = table_of(language), grammar_of(language)
    if table is None or grammar is None:
        return None
    tags = getattr(import_module(language_of(language).module), "TAGS_QUERY", None) if table.uses_tags else None
    elements = table.elements if grammar.id_for_node_kind("jsx_element", True) else ""
    return tree_sitter.Query(grammar, "\n".join((table.patterns, elements, *reference_patterns(tags or ""))))


@cache
def errors_query(language: str) -> tree_sitter.Query:
    """Return the query for what the parser did not expect, or missed; of a language that has a grammar.

    It stands alone because looking for what is missing is dear: a tenth of a whole query. Few trees need it.
    """
    grammar = grammar_of(language)
    assert grammar is not None  # noqa: S101  no tree without a grammar
    return tree_sitter.Query(grammar, _ERRORS)


def reference_patterns(tags: str) -> list[str]:
    """Return a tags query's patterns for references, with the name captured as ``@reference`` and nothing else.

    Predicates only say which names an editor would not list. A pattern with ``#is-not?`` needs an editor's knowledge
    of local variables, so it is left out.
    """
    wanted = [each for each in _top_level(tags) if "@reference." in each and "#is-not?" not in each]
    return [re.sub(r"@name\b", "@reference", re.sub(r"@reference\.[\w.]+", "", _PREDICATE.sub("", p))) for p in wanted]


def _top_level(query: str) -> Iterator[str]:
    """Yield a query's patterns, each with the captures behind it."""
    depth, start = 0, 0
    for token in _TOKEN.finditer(query):
        if token[0] in "([":
            if depth == 0:
                yield query[start : token.start()]
                start = token.start()
            depth += 1
        elif token[0] in ")]":
            depth -= 1
    yield query[start:]
