"""What is known of a search result, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.facts import ChunkFacts

#: Names that are shown of those that a chunk uses; JSON has all of them.
_SHOWN_REFERENCES = 12


def describe_facts(facts: ChunkFacts) -> Iterator[str]:
    """Yield a line for each thing that there is something to say about."""
    if facts.symbol:
        yield f"{_head(facts)}{_paths(facts)}{_part(facts)}"
    if facts.doc:
        yield f"doc: {facts.doc}"
    if facts.decorators:
        yield f"decorators: {', '.join(facts.decorators)}"
    if facts.references:
        more = len(facts.references) - _SHOWN_REFERENCES
        yield f"uses: {', '.join(facts.references[:_SHOWN_REFERENCES])}{f' and {more} more' if more > 0 else ''}"
    if facts.has_error:
        yield "its syntax is broken"


def _head(facts: ChunkFacts) -> str:
    """Return the symbol, of a function with its parameters and return type."""
    arguments = f"({', '.join(facts.parameters)})" if facts.complexity else ""
    return f"symbol: {facts.symbol}{arguments}{f' -> {facts.returns}' if facts.returns else ''}"


def _paths(facts: ChunkFacts) -> str:
    return f", complexity {facts.complexity}" if facts.complexity else ""


def _part(facts: ChunkFacts) -> str:
    return f", part {facts.part} of {facts.parts}" if facts.parts > 1 else ""
