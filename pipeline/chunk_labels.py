"""Say what is in each chunk: its kind and name, the definitions around it, and the names defined inside.

The kind is, in this order: that of the definition which the chunk is, or is a part of (function, method, class,
interface, type, enum, namespace, section, key); ``mixed`` where there are several at the top level, or one and other
code; else what its nodes are (import, comment, text, block), and ``block`` if they differ. A chunk with several
methods of one class is a part of that class. A file without an outline is all ``text``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.types import OutlineNode

#: Of deeper scopes only the innermost are kept.
MAX_SCOPE = 16

_WORD = re.compile(rb"\S")
_PLAIN_KINDS = frozenset({"import", "comment", "text"})
#: They belong to the definition that follows, or precedes, them.
_COMPANIONS = frozenset({"comment", "decorator", "heading", "inner"})


@dataclass(frozen=True, slots=True)
class Label:
    """What a chunk is, from the outline. ``parent`` is the definition that it is, or is a part of, if any."""

    kind: str
    name: str
    scope: tuple[OutlineNode, ...]
    defines: tuple[str, ...]
    parent: OutlineNode | None


@dataclass(slots=True)
class _Contents:
    """What has been met inside one chunk so far. ``around`` are the definitions that it is only a part of."""

    around: list[OutlineNode]
    definitions: list[OutlineNode] = field(default_factory=list)
    names: dict[str, None] = field(default_factory=dict)
    plain: set[str] = field(default_factory=set)
    reach: int = -1  # where the last complete definition ends

    @property
    def is_pure(self) -> bool:
        return not self.definitions and self.plain <= _COMPANIONS


def label_chunks(text: bytes, nodes: Sequence[OutlineNode], ends: Sequence[int]) -> Iterator[Label]:
    """Yield one label for each chunk, where chunk ``i`` is ``text[ends[i - 1]:ends[i]]``."""
    open_definitions: list[OutlineNode] = []
    ambient = "text"
    at = start = 0
    for end in ends:
        first, last = _trimmed(text, start, end)
        contents = _enter(open_definitions, first, last)
        while at < len(nodes) and nodes[at].start < end:
            node = nodes[at]
            at += 1
            if node.name:
                _take(contents, node, end)
                _leave(open_definitions, node.start)
                open_definitions.append(node)
            else:
                ambient = node.kind
                if node.start >= contents.reach:
                    contents.plain.add(ambient)
        yield _label(contents, ambient)
        start = end


def _trimmed(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Return the span without the white space around it; a span of white space stays as it is."""
    word = _WORD.search(text, start, end)
    if word is None:
        return start, end
    return word.start(), start + len(text[start:end].rstrip())


def _leave(open_definitions: list[OutlineNode], offset: int) -> None:
    while open_definitions and open_definitions[-1].end <= offset:
        open_definitions.pop()


def _enter(open_definitions: list[OutlineNode], first: int, last: int) -> _Contents:
    """Start a chunk inside the definitions that earlier chunks opened: some go on behind it, some end in it."""
    _leave(open_definitions, first)
    contents = _Contents(around=[node for node in open_definitions if node.end >= last])
    tail = open_definitions[len(contents.around) : len(contents.around) + 1]
    contents.definitions.extend(tail)
    contents.reach = max((node.end for node in tail), default=-1)
    return contents


def _take(contents: _Contents, node: OutlineNode, end: int) -> None:
    """Count a definition that starts in the chunk as around it, if it goes on behind ``end``, or as a part of it."""
    contents.names[node.name] = None
    if node.start < contents.reach:
        return
    if node.end > end and contents.is_pure:
        contents.around.append(node)
        contents.plain.clear()
    else:
        contents.definitions.append(node)
        contents.reach = node.end


def _label(contents: _Contents, ambient: str) -> Label:
    """Sum up what was met; ``ambient`` is the plain node that a chunk without any node of its own is inside of."""
    around = contents.around
    kind, name, parent = "mixed", "", None
    if len(contents.definitions) == 1 and contents.plain <= _COMPANIONS:
        parent = contents.definitions[0]
    elif around:
        parent = around[-1]
    elif not contents.definitions:
        kind = _plain_kind(contents.plain or {ambient})
    if parent is not None:
        kind, name = parent.kind, parent.name
    return Label(kind, name, tuple(around[-MAX_SCOPE:]), tuple(contents.names), parent)


def _plain_kind(kinds: set[str]) -> str:
    return min(kinds) if len(kinds) == 1 and kinds <= _PLAIN_KINDS else "block"
