"""What is known of a file's definitions beyond their names: for people who read search results, never for embedding.

In an outline facts are spans of the text, so that they stay small beside it; a chunk has them as words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeAlias

#: Byte offsets, the second one exclusive.
Span: TypeAlias = tuple[int, int]


class DefinitionFacts(NamedTuple):
    """What is written at the head of one definition; ``complexity`` is 0 for what has none, such as a class."""

    complexity: int = 0
    doc: Span | None = None
    returns: Span | None = None
    parameters: tuple[Span, ...] = ()
    decorators: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """The facts of one file, in the order of the text.

    ``definitions`` has those that there is something to say about, by their index among the outline's nodes.
    ``references`` are the offsets of names that are called or used; ``errors`` are those at which the parser found
    what it did not expect, or missed something.
    """

    definitions: Mapping[int, DefinitionFacts] = field(default_factory=dict)
    imports: tuple[Span, ...] = ()
    references: tuple[int, ...] = ()
    errors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkFacts:
    """What is known of a chunk beyond its label.

    All but ``references`` and ``has_error`` are about the definition that the chunk is, or is a part of: ``symbol``
    is its qualified name, ``complexity`` the number of paths through it (0: it is no function), and the chunk is part
    ``part`` of ``parts``. ``references`` are names that the chunk uses, ``has_error`` says that its syntax is broken.
    """

    symbol: str = ""
    doc: str = ""
    parameters: tuple[str, ...] = ()
    returns: str = ""
    decorators: tuple[str, ...] = ()
    complexity: int = 0
    part: int = 1
    parts: int = 1
    references: tuple[str, ...] = ()
    has_error: bool = False


_NO_FACTS = ChunkFacts()
_FIELDS = tuple(each.name for each in fields(ChunkFacts))


def facts_row(facts: ChunkFacts) -> dict[str, object]:
    """Return the facts for a row of JSON, without those that say nothing."""
    values = ((name, getattr(facts, name)) for name in _FIELDS)
    return {name: value for name, value in values if value != getattr(_NO_FACTS, name)}


def chunk_facts_of(row: Mapping[str, Any]) -> ChunkFacts:
    """Return the facts of such a row.

    Raises:
        TypeError: The row has something else in it.
    """
    values: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in dict(row).items()}
    return ChunkFacts(**values)
