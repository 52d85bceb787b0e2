"""Nest a document's blocks under its headings, by heading level, whatever style the headings are written in.

The grammar opens a section for ``# Title`` but not for a title underlined with ``===``; readers see no difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.types import OutlineNode


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


def _level(heading: OutlineNode) -> int:
    """Return the level of a heading from its signature, which always has the ``## Title`` form."""
    return len(heading.signature) - len(heading.signature.lstrip("#"))
