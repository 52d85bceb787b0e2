"""The table of languages, and their grammars, each imported at its first use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

import tree_sitter

from pipeline.parse.languages import code, data, native, packed, prose, scripting, web
from pipeline.parse.languages.entry import TEXT, Language

_FAMILIES = (scripting, web, native, code, data, prose, packed)

LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (*(entry for family in _FAMILIES for entry in family.ENTRIES), Language(name=TEXT))
}


def language_of(name: str) -> Language:
    """Return the table entry for ``name``; an unknown language is treated as text."""
    return LANGUAGES.get(name, LANGUAGES[TEXT])


@cache
def grammar_of(name: str) -> tree_sitter.Language | None:
    """Return the grammar of a language; None where there is none, or none is installed."""
    language = language_of(name)
    if not language.module:
        return None
    if language.module == packed.MODULE:
        return packed.grammar(language.entry)
    return tree_sitter.Language(getattr(import_module(language.module), language.entry)())
