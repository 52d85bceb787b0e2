"""Find what C's declarators hide: the name in ``(*name)(int)``, and the ``*`` that belongs to the type before it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.facts import Span

#: Bytes before a type that are searched for its qualifiers.
_NEAR = 128
#: Names begin above it, and what stands before them is below: ``*``, ``&``, ``(``, ``.``.
_LAST_SIGN = 0x40

_QUALIFIER = rb"(?:const|volatile|restrict|__restrict(?:__)?)\b"
_NAME = re.compile(
    rb"[\s*&]*(?:(?:[.^\[]|\((?:[A-Za-z_]\w*::)*|" + _QUALIFIER + rb")[\s*&]*)*([A-Za-z_$\x80-\xff][\w$\x80-\xff]*)"
)
_BEFORE = re.compile(rb"(?<![\w$])(?:(?:const|volatile)\s+)+\Z")
_BEHIND = re.compile(rb"(?:\s*(?:[*&]|" + _QUALIFIER + rb"))*")


def declared_names(data: bytes, declarators: Iterable[Span]) -> tuple[Span, ...]:
    """Return the names in declarators; there is none in ``(*)(int)``."""
    names = []
    for declarator in declarators:
        start, end = declarator
        # Most are a name and nothing else.
        if data[start] > _LAST_SIGN and data[end - 1] not in b")]":
            names.append(declarator)
        elif match := _NAME.match(data, start, end):
            names.append(match.span(1))
    return tuple(names)


def whole_type(data: bytes, named: Span, definition: Span) -> Span:
    """Return a function's return type with its qualifiers, pointers and references; ``named`` is what it names."""
    start, end = named
    if behind := _BEHIND.match(data, end, definition[1]):
        end = behind.end()
    if data.endswith((b"const ", b"volatile "), definition[0], start):
        qualifiers = _BEFORE.search(data[max(definition[0], start - _NEAR) : start])
        start -= len(qualifiers[0]) if qualifiers else 0
    return start, end
