"""Say what is in each chunk: its kind and name, the definitions around it, and the names defined inside.

The kind is, in this order: that of the definition which the chunk is, or is a part of (function, method, class,
interface, type, enum, namespace, section, key); ``mixed`` where there are several at the top level, or one and other
code than imports; else what its nodes are (import, comment, text, block), and ``block`` if they differ. A chunk with
several methods of one class is a part of that class, and a namespace that holds one definition is only the place of
that. A file without an outline is all ``text``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.types import OutlineNode

#: Of deeper scopes only the innermost are kept.
MAX_SCOPE = 16

_PLAIN_KINDS = frozenset({"import", "comment", "text"})
#: They belong to the definition that follows, or precedes, them, or are what it needs.
_COMPANIONS = frozenset({"comment", "decorator", "heading", "import", "inner"})
#: They say nothing of where the end of a chunk is.
_BESIDES = frozenset({"comment", "import"})
#: What holds definitions and is hardly more than their place.
_PLACE = "namespace"


class Label(NamedTuple):
    """What a chunk is, from the outline. ``parent`` is the definition that it is, or is a part of, if any."""

    kind: str
    name: str
    scope: tuple[OutlineNode, ...]
    defines: tuple[str, ...]
    parent: OutlineNode | None


class _Contents:
    """What has been met inside one chunk so far. ``around`` are the definitions that it is only a part of."""

    __slots__ = ("around", "definitions", "names", "plain", "reach")

    def __init__(self, around: list[OutlineNode], tail: list[OutlineNode]) -> None:
        """Start with the definitions that go on behind the chunk, and the one, if any, that ends in it."""
        self.around = around
        self.definitions = tail
        self.names: dict[str, None] = {}
        self.plain: set[str] = set()
        self.reach = tail[0].end if tail else -1  # where the last complete definition ends


def label_chunks(text: bytes, nodes: Sequence[OutlineNode], ends: Sequence[int]) -> Iterator[Label]:
    """Yield one label for each chunk, where chunk ``i`` is ``text[ends[i - 1]:ends[i]]``."""
    starts = [node.start for node in nodes]
    kinds = [node.kind for node in nodes]
    named = [i for i, node in enumerate(nodes) if node.name]
    open_definitions: list[OutlineNode] = []
    ambient = "text"
    at = start = taken = 0
    for end in ends:
        behind = bisect_left(starts, end, at)
        if open_definitions:
            last = behind - 1
            while last >= at and kinds[last] in _BESIDES:
                last -= 1
            contents = _enter(text, open_definitions, nodes[last].end, start, end)
        else:
            contents = _Contents([], [])
        until = bisect_left(named, behind, taken)
        # Each definition and the plain nodes before it, which are taken as a whole; then those behind the last one.
        for i in (*named[taken:until], behind):
            if at < i:
                ambient = kinds[i - 1]
                outside = at if starts[at] >= contents.reach else bisect_left(starts, contents.reach, at, i)
                contents.plain.update(kinds[outside:i])
            if i < behind:
                node = nodes[i]
                _take(contents, node, end)
                _leave(open_definitions, node.start)
                open_definitions.append(node)
            at = i + 1
        if len(contents.definitions) == 1 and contents.definitions[0].kind == _PLACE:
            _enter_places(contents, nodes, starts)
        yield _label(contents, ambient)
        start, at, taken = end, behind, until


def _leave(open_definitions: list[OutlineNode], offset: int) -> None:
    while open_definitions and open_definitions[-1].end <= offset:
        open_definitions.pop()


def _enter(text: bytes, open_definitions: list[OutlineNode], reach: int, start: int, end: int) -> _Contents:
    """Start a chunk inside the definitions that earlier chunks opened: some go on behind it, some end in it.

    ``reach`` is where the last node before the chunk's end ends, comments and imports left out that start in the chunk:
    what is behind it only closes what is around it. Where that is no part of the chunk, all but white space counts.
    """
    if words := text[start:end].lstrip():
        start = end - len(words)
    _leave(open_definitions, start)
    if reach <= start:
        reach = start + len(words.rstrip()) if words else end
    around = [node for node in open_definitions if node.end >= reach]
    return _Contents(around, open_definitions[len(around) : len(around) + 1])


def _take(contents: _Contents, node: OutlineNode, end: int) -> None:
    """Count a definition that starts in the chunk as around it, if it goes on behind ``end``, or as a part of it."""
    contents.names[node.name] = None
    if node.start < contents.reach:
        return
    if node.end > end and not contents.definitions and contents.plain <= _COMPANIONS:
        contents.around.append(node)
        contents.plain.clear()
    else:
        contents.definitions.append(node)
        contents.reach = node.end


def _enter_places(contents: _Contents, nodes: Sequence[OutlineNode], starts: Sequence[int]) -> None:
    """Take namespaces for what is around the chunk's only definition, as long as each holds but the next one."""
    place = contents.definitions[0]
    if not contents.plain <= _COMPANIONS:
        return
    at = nodes.index(place, bisect_left(starts, place.start))
    while place.kind == _PLACE and (only := _only_definition(nodes, starts, at)):
        contents.around.append(place)
        place = contents.definitions[0] = nodes[at := only]


def _only_definition(nodes: Sequence[OutlineNode], starts: Sequence[int], place: int) -> int:
    """Return the index of the one definition in a namespace; 0 where there is none, several, or other code."""
    behind = bisect_left(starts, nodes[place].end, place)
    only = place + 1
    while only < behind and not nodes[only].name:
        if nodes[only].kind not in _COMPANIONS:
            return 0
        only += 1
    if only == behind:
        return 0
    rest = bisect_left(starts, nodes[only].end, only, behind)
    return only if all(nodes[i].kind in _COMPANIONS for i in range(rest, behind)) else 0


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
