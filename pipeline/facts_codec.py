"""The facts of a file as columns of small numbers for its packed outline, and back.

Every span is written as its distance from the one before it and its size; those of a definition begin at its node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from pipeline.facts import DefinitionFacts, FileFacts, Span
from pipeline.types import OutlineNode


def fact_columns(facts: FileFacts, nodes: Sequence[OutlineNode]) -> dict[str, object]:
    """Return the facts as lists of numbers; ``nodes`` are those of the outline."""
    rows = sorted(facts.definitions.items())
    return {
        "at": steps(index for index, _ in rows),
        "complexity": [each.complexity for _, each in rows],
        "doc": [_distances(nodes[i].start, [each.doc] if each.doc else []) for i, each in rows],
        "returns": [_distances(nodes[i].start, [each.returns] if each.returns else []) for i, each in rows],
        "parameters": [_distances(nodes[i].start, each.parameters) for i, each in rows],
        "decorators": [_distances(nodes[i].start, each.decorators) for i, each in rows],
        "imports": _distances(0, facts.imports),
        "references": steps(facts.references),
        "errors": steps(facts.errors),
    }


def facts_of(columns: dict[str, Any], nodes: Sequence[OutlineNode]) -> FileFacts:
    """Return the facts that were written.

    Raises:
        KeyError, ValueError, TypeError, IndexError: The columns are damaged.
    """
    names = ("complexity", "doc", "returns", "parameters", "decorators")
    rows = zip(sums(columns["at"]), *(columns[name] for name in names), strict=True)
    return FileFacts(
        definitions={index: _definition(nodes[index].start, *row) for index, *row in rows},
        imports=_spans(0, columns["imports"]),
        references=tuple(sums(columns["references"])),
        errors=tuple(sums(columns["errors"])),
    )


def steps(values: Iterable[int]) -> list[int]:
    """Return each value's distance from the one before it; the first one's from 0."""
    before = 0
    distances = []
    for value in values:
        distances.append(value - before)
        before = value
    return distances


def sums(distances: Iterable[int]) -> list[int]:
    """Return the values with these distances."""
    return list(accumulate(map(int, distances)))


def _definition(
    start: int, complexity: int, doc: list[int], returns: list[int], parameters: list[int], decorators: list[int]
) -> DefinitionFacts:
    return DefinitionFacts(
        complexity=int(complexity),
        doc=next(iter(_spans(start, doc)), None),
        returns=next(iter(_spans(start, returns)), None),
        parameters=_spans(start, parameters),
        decorators=_spans(start, decorators),
    )


def _distances(base: int, spans: Iterable[Span]) -> list[int]:
    distances = []
    for start, end in spans:
        distances += [start - base, end - start]
        base = end
    return distances


def _spans(base: int, distances: list[int]) -> tuple[Span, ...]:
    spans = []
    for gap, size in zip(distances[::2], distances[1::2], strict=True):
        start = base + gap
        base = start + size
        spans.append((start, base))
    return tuple(spans)
