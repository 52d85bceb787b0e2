"""Which syntax nodes make it into an outline: only as deep as chunking needs, plus every definition's name.

A node is looked into when it is large, or when it is a class or the like, whose members are worth a name however
small they are. The walk keeps its own stack, so no nesting is too deep for it, and looks at each node once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import tree_sitter

from pipeline.parse.definitions import find_definition
from pipeline.parse.languages import Language
from pipeline.types import OutlineNode

#: Bytes. A node up to this size is not looked into; no sensible budget is below it.
LEAF_BYTES = 512
#: Nodes deeper than this are not looked into: no human wrote them.
MAX_DEPTH = 1_000
#: After so many siblings, small ones are taken together up to RUN_BYTES: a table with a million rows stays bounded.
MANY_SIBLINGS = 1_000
RUN_BYTES = 256


@dataclass(slots=True)
class _Frame:
    """The node whose children are being visited, and what is known of the ones visited so far.

    ``depth`` is what its children get and ``first`` the index of the first one among the nodes. ``inner`` is the span
    of a definition that the node wraps; ``owner`` the kind of the closest definition. ``last`` is the index of the
    sibling that the next one may join, -1 if there is none.
    """

    type: str
    start: int
    end: int
    depth: int
    first: int
    owner: str = ""
    inner: tuple[int, int] | None = None
    has_body: bool = False
    siblings: int = 0
    last: int = -1


class Walk:
    """One pass over a syntax tree that collects the outline's nodes in pre-order."""

    def __init__(self, data: bytes, language: Language) -> None:
        self._data = data
        self._language = language
        self._nodes: list[OutlineNode] = []
        #: The span of the definition proper, by the index of the node that wraps it.
        self.inner: dict[int, tuple[int, int]] = {}
        self._leaf_kinds = (
            dict.fromkeys(language.comments, "comment")
            | dict.fromkeys(language.decorators, "decorator")
            | dict.fromkeys(language.imports, "import")
        )

    def nodes(self, tree: tree_sitter.Tree) -> list[OutlineNode]:
        """Return the outline's nodes."""
        cursor = tree.walk()
        root = tree.root_node
        frames = [_Frame(root.type, -1, root.end_byte, 0, 0)]
        if not cursor.goto_first_child():
            return self._nodes
        while frames:
            node = cursor.node
            inside = self._visit(node, frames[-1]) if node is not None and node.is_named else None
            if inside is not None and cursor.goto_first_child():
                frames.append(inside)
                continue
            while frames and not cursor.goto_next_sibling():
                self._leave(frames)
                cursor.goto_parent()
        return self._nodes

    @staticmethod
    def _leave(frames: list[_Frame]) -> None:
        """Drop the innermost frame; the next one, where it is of the same definition, learns what that one did."""
        done = frames.pop()
        if frames and frames[-1].first == done.first:
            frames[-1].has_body |= done.has_body
            frames[-1].last = -1

    def _visit(self, node: tree_sitter.Node, frame: _Frame) -> _Frame | None:
        """Take in one node; return the frame to visit its children with, or None to leave them alone."""
        start, end, node_type = node.start_byte, node.end_byte, node.type
        if start == end:
            return None
        if frame.inner is not None and start <= frame.inner[0] and frame.inner[1] <= end:
            inner = None if (start, end) == frame.inner else frame.inner
            return replace(frame, type=node_type, inner=inner)
        if node_type in self._language.bodies and frame.type not in self._language.lists:
            self._open_body(start, frame)
            return replace(frame, type=node_type, inner=None, siblings=0, last=-1)
        definition = find_definition(node, self._data, self._language, frame.owner, LEAF_BYTES)
        if definition is not None:
            kind, name, signature, inner_span = definition
            frame.last = -1
            if inner_span is not None:
                self.inner[len(self._nodes)] = inner_span
            self._nodes.append(OutlineNode(start, end, frame.depth, kind, name, signature))
            if not self._is_deep(node, frame) and kind not in self._language.containers:
                return None
            return _Frame(node_type, start, end, frame.depth + 1, len(self._nodes), kind, inner_span)
        return self._visit_plain(node, frame)

    def _visit_plain(self, node: tree_sitter.Node, frame: _Frame) -> _Frame | None:
        """Take in a node that defines nothing."""
        start, end, node_type = node.start_byte, node.end_byte, node.type
        kind = self._leaf_kinds.get(node_type)
        if kind is None and self._is_deep(node, frame) and node_type not in self._language.opaque:
            if (start, end) == (frame.start, frame.end):
                return replace(frame, type=node_type, siblings=0, last=-1)
            frame.last = -1
            self._nodes.append(OutlineNode(start, end, frame.depth, self._language.plain_kind))
            return _Frame(node_type, start, end, frame.depth + 1, len(self._nodes), frame.owner)
        self._append_leaf(start, end, kind or self._language.plain_kind, frame)
        return None

    def _is_deep(self, node: tree_sitter.Node, frame: _Frame) -> bool:
        is_large = node.end_byte - node.start_byte > LEAF_BYTES or node.type in self._language.groups
        return is_large and frame.depth < MAX_DEPTH

    def _open_body(self, start: int, frame: _Frame) -> None:
        """Forget the pieces of a header that is short: as text before the body it stays in one piece."""
        if not frame.has_body and frame.start >= 0 and start - frame.start <= LEAF_BYTES:
            del self._nodes[frame.first :]
        frame.has_body = True
        frame.last = -1

    def _append_leaf(self, start: int, end: int, kind: str, frame: _Frame) -> None:
        """Append a node without children, or extend its elder sibling where one line or a huge table unites them."""
        frame.siblings += 1
        if frame.last >= 0:
            elder = self._nodes[frame.last]
            size = end - elder.start
            is_run = frame.siblings > MANY_SIBLINGS and size <= RUN_BYTES and kind == elder.kind
            if is_run or (size <= LEAF_BYTES and not self._starts_line(elder.end, start)):
                kind = elder.kind if kind in (elder.kind, "comment") else self._language.plain_kind
                self._nodes[frame.last] = OutlineNode(elder.start, end, elder.depth, kind)
                return
        frame.last = len(self._nodes)
        self._nodes.append(OutlineNode(start, end, frame.depth, kind))

    def _starts_line(self, elder_end: int, start: int) -> bool:
        between = self._data[max(elder_end - 1, 0) : start]
        return b"\n" in between or b"\r" in between
