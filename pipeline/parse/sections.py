"""Nest what follows under what it belongs to where the grammar has them side by side, and readers see no difference.

A document's blocks are nested under its headings, by heading level, whatever style the headings are written in: the
grammar opens a section for ``# Title`` but not for a title underlined with ``===``. The rest of a file is nested under
``namespace Shop;``, as it is in the braces of ``namespace Shop {``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from pipeline.types import OutlineNode

#: Makes a node from a plain tuple, in half the time that its own constructor takes.
_new_node = tuple.__new__


def nest_sections(nodes: Sequence[OutlineNode]) -> list[OutlineNode]:
    """Return the nodes with one ``section`` around each top-level heading and what follows it."""
    nested: list[OutlineNode] = []
    open_sections: list[tuple[int, int]] = []  # heading level, index in nested
    reach = 0  # where the furthest node so far ends

    def close(level: int) -> None:
        while open_sections and open_sections[-1][0] >= level:
            index = open_sections.pop()[1]
            nested[index] = nested[index]._replace(end=reach)

    for node in nodes:
        if node.kind == "heading" and node.depth == 0:
            level = _level(node)
            close(level)
            depth = len(open_sections)
            open_sections.append((level, len(nested)))
            nested.append(node._replace(kind="section", depth=depth))
            nested.append(node._replace(depth=depth + 1, name="", signature=""))
        else:
            nested.append(node._replace(depth=node.depth + len(open_sections)))
        reach = max(reach, node.end)
    close(0)
    return nested


def nest_rests(nodes: Sequence[OutlineNode], rests: Sequence[int]) -> Sequence[OutlineNode]:
    """Return the nodes with those at the indices ``rests`` around what follows them, up to the next one."""
    if not rests:
        return nodes
    nested = list(nodes[: rests[0]])
    for first, behind in pairwise([*rests, len(nodes)]):
        inside = nodes[first + 1 : behind]
        reach = max([nodes[first].end, *[node.end for node in inside]])
        nested.append(nodes[first]._replace(end=reach))
        nested += [_new_node(OutlineNode, (start, end, depth + 1, *rest)) for start, end, depth, *rest in inside]
    return nested


def _level(heading: OutlineNode) -> int:
    """Return the level of a heading from its signature, which always has the ``## Title`` form."""
    return len(heading.signature) - len(heading.signature.lstrip("#"))
