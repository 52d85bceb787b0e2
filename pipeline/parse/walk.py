"""Which syntax nodes make it into an outline: only as deep as chunking needs, plus every definition's name.

A node is looked into when it is large, or when it is a class or the like, whose members are worth a name however
small they are. The walk keeps its own stack, so no nesting is too deep for it, and looks at each node once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import tree_sitter

from pipeline.parse.definitions import Definition, find_definition
from pipeline.parse.languages import BRANCHES, CLAUSES, HOLDERS, Language, grammar_of, language_of
from pipeline.types import OutlineNode

#: Bytes. A node up to this size is not looked into; no sensible budget is below it.
LEAF_BYTES = 512
#: Nodes deeper than this are not looked into: no human wrote them.
MAX_DEPTH = 1_000
#: After so many siblings, small ones are taken together up to RUN_BYTES: a table with a million rows stays bounded.
MANY_SIBLINGS = 1_000
RUN_BYTES = 256
#: The number that every grammar has for its error nodes.
ERROR_ID = 0xFFFF

#: Line ends, as ``in`` takes them: to slice and look is twice as fast as to find.
_LF, _CR = b"\n\r"

#: Makes a node from a plain tuple, in half the time that its own constructor takes: 2 % of the time of a parse.
_new_node = tuple.__new__

#: Bodies that are statements as well, where they stand alone in a body.
BLOCKS = frozenset({"compound_statement", "statement_block", "block"})


@dataclass(slots=True)
class _Frame:
    """The node whose children are being visited, and what is known of the ones visited so far.

    ``depth`` is what its children get and ``first`` the index of the first one among the nodes. ``inner`` is the span
    of a definition that the node wraps; ``owner`` the kind of the closest definition. ``last`` is the index of the
    sibling that the next one may join, -1 if there is none. ``is_list`` says that bodies in it are nodes of their own,
    ``is_plain`` that it is neither a definition nor a body, so that it holds elements rather than statements, and
    ``is_body`` that it is a body or the like, so that a block in it is a statement, ``is_branch`` that it is an
    ``if``, in which a second body is a clause, and ``is_clause`` that it is a clause, of which an ``if`` is all. What
    is before the offset ``skipped`` is not visited.
    """

    start: int
    end: int
    depth: int
    first: int
    owner: str = ""
    inner: tuple[int, int] | None = None
    is_list: bool = False
    is_plain: bool = False
    is_body: bool = False
    has_body: bool = False
    is_branch: bool = False
    is_clause: bool = False
    siblings: int = 0
    last: int = -1
    skipped: int = -1

    def within(self, role: _Role, inner: tuple[int, int] | None, *, is_plain: bool) -> _Frame:
        """Return the frame for the children of a child that has no node of its own."""
        return _Frame(
            *(self.start, self.end, self.depth, self.first, self.owner, inner),
            is_list=role.is_list,
            is_plain=is_plain,
            is_body=role.is_body,
            has_body=self.has_body,
            is_branch=role.is_branch,
        )


@dataclass(frozen=True, slots=True)
class _Role:
    """What a node type means to the walk.

    ``kind`` is the outline's word for it where it defines nothing, ``kind_in_plain`` the one among elements.
    """

    kind: str
    kind_in_plain: str
    is_simple: bool
    is_body: bool
    is_list: bool
    may_define: bool
    is_leaf: bool
    is_group: bool
    holds_statements: bool
    is_block: bool
    is_branch: bool
    is_statement: bool


class _Roles(dict[int, _Role | None]):
    """The roles of one grammar's node types by their number, each found at its first use; None: without a name."""

    def __init__(self, language: Language, grammar: tree_sitter.Language) -> None:
        self._language = language
        self._grammar = grammar
        self._leaves = (
            dict.fromkeys(language.comments, "comment")
            | dict.fromkeys(language.decorators, "decorator")
            | dict.fromkeys(language.imports, "import")
        )

    def __missing__(self, kind_id: int) -> _Role | None:
        if not self._grammar.node_kind_is_named(kind_id):
            self[kind_id] = None
            return None
        known = self._language
        name = self._grammar.node_kind_for_id(kind_id) or ""
        kind = self._leaves.get(name) or ("clause" if name in CLAUSES else known.plain_kind)
        is_body = name in known.bodies
        may_define = name in known.definitions or name in known.wrappers or name in known.headings
        role = self[kind_id] = _Role(
            kind=kind,
            kind_in_plain="element" if kind == "block" else kind,
            is_simple=not is_body and not may_define and name not in known.groups,
            is_body=is_body,
            # What an error holds is not in its place, so a body there belongs to nothing.
            is_list=name in known.lists or kind_id == ERROR_ID,
            may_define=may_define,
            is_leaf=name in self._leaves or name in known.opaque,
            is_group=name in known.groups,
            holds_statements=name in known.groups
            or name in HOLDERS
            or kind_id == ERROR_ID
            or (is_body and name not in known.lists),
            is_block=name in BLOCKS,
            is_branch=name in BRANCHES,
            is_statement=name.endswith("_statement"),
        )
        return role


@cache
def _roles_of(language: str) -> _Roles:
    grammar = grammar_of(language)
    if grammar is None:
        raise LookupError(language)
    return _Roles(language_of(language), grammar)


class Walk:
    """One pass over a syntax tree that collects the outline's nodes in pre-order."""

    def __init__(self, data: bytes, language: Language) -> None:
        self._data = data
        self._has_cr = b"\r" in data
        self._language = language
        self._roles = _roles_of(language.name)
        self._nodes: list[OutlineNode] = []
        #: The span of the definition proper, by the index of the node that wraps it.
        self.inner: dict[int, tuple[int, int]] = {}

    def nodes(self, tree: tree_sitter.Tree) -> list[OutlineNode]:
        """Return the outline's nodes."""
        cursor = tree.walk()
        root = tree.root_node
        frames = [_Frame(-1, root.end_byte, 0, 0, is_list=root.type in self._language.lists, is_body=True)]
        is_inside = cursor.goto_first_child()
        while frames:
            inside = self._visit_siblings(cursor, frames[-1]) if is_inside else None
            if inside is not None:
                frames.append(inside)
                continue
            self._leave(frames)
            cursor.goto_parent()
            is_inside = cursor.goto_next_sibling()
        return self._nodes

    def _visit_siblings(self, cursor: tree_sitter.TreeCursor, frame: _Frame) -> _Frame | None:
        """Take in the cursor's node and its siblings; return early to visit the children of one, with this frame."""
        nodes, data, roles, goto_next_sibling = self._nodes, self._data, self._roles, cursor.goto_next_sibling
        append, new = nodes.append, _new_node
        depth, is_plain, needs_visit = frame.depth, frame.is_plain, frame.inner is not None or frame.is_branch
        while True:
            node = cursor.node
            assert node is not None  # noqa: S101  a cursor always stands on a node
            role = roles[node.kind_id]
            if role is not None:
                start, end = node.byte_range
                if needs_visit or not role.is_simple or end - start > LEAF_BYTES:
                    inside = self._visit(node, start, end, role, frame)
                    if inside is not None and _goto_child(cursor, inside.skipped):
                        return inside
                elif start < end:
                    # Most begin a line: they are appended here, which saves a tenth of the walk.
                    kind = role.kind_in_plain if is_plain else role.kind
                    last = frame.last
                    if last >= 0 and (frame.siblings >= MANY_SIBLINGS or _LF not in data[nodes[last][1] - 1 : start]):
                        self._append_leaf(start, end, kind, frame)
                    else:
                        frame.siblings += 1
                        frame.last = len(nodes)
                        append(new(OutlineNode, (start, end, depth, kind, "", "", "")))
            if not goto_next_sibling():
                return None

    @staticmethod
    def _leave(frames: list[_Frame]) -> None:
        """Drop the innermost frame; the next one, where it is of the same definition, learns what that one did."""
        done = frames.pop()
        if frames and frames[-1].first == done.first:
            frames[-1].has_body |= done.has_body
            frames[-1].last = -1

    def _visit(self, node: tree_sitter.Node, start: int, end: int, role: _Role, frame: _Frame) -> _Frame | None:
        """Take in one node; return the frame to visit its children with, or None to leave them alone."""
        if start == end:
            return None
        if frame.inner is not None and start <= frame.inner[0] and frame.inner[1] <= end:
            return self._visit_wrapped(start, end, role, frame)
        if _is_alternative(role, frame):
            return self._visit_clause(start, end, role, frame)
        if frame.is_branch and role.is_statement:
            self._open_body(start, frame)
        if role.is_body and not frame.is_list and not (role.is_block and frame.is_body):
            self._open_body(start, frame)
            return frame.within(role, None, is_plain=role.is_list)
        if role.may_define:
            definition = find_definition(node, self._data, self._language, frame.owner, LEAF_BYTES)
            if definition is not None:
                return self._define(start, end, definition, role, frame)
        return self._visit_plain(start, end, role, frame)

    def _visit_wrapped(self, start: int, end: int, role: _Role, frame: _Frame) -> _Frame:
        """Go on towards a wrapped definition, which is a node of its own: it may fit where the whole does not."""
        if (start, end) != frame.inner:
            return frame.within(role, frame.inner, is_plain=frame.is_plain)
        if frame.end - frame.start <= LEAF_BYTES:
            return frame.within(role, None, is_plain=frame.is_plain)
        frame.last = -1
        self._nodes.append(OutlineNode(start, end, frame.depth, "inner"))
        return _Frame(start, end, frame.depth + 1, len(self._nodes), frame.owner, is_list=role.is_list)

    def _define(self, start: int, end: int, definition: Definition, role: _Role, frame: _Frame) -> _Frame | None:
        """Take in a node that defines something."""
        kind, name, signature, inner, body = definition
        frame.last = -1
        if inner is not None:
            self.inner[len(self._nodes)] = inner
        self._nodes.append(_new_node(OutlineNode, (start, end, frame.depth, kind, name, signature, "")))
        if not _is_deep(start, end, role, frame) and kind not in self._language.containers:
            return None
        inside = _Frame(start, end, frame.depth + 1, len(self._nodes), kind, inner, role.is_list)
        if body is not None and inner is None and not role.is_list and self._is_at_once(body, start):
            inside.skipped = body.start_byte
        return inside

    def _is_at_once(self, body: tree_sitter.Node, start: int) -> bool:
        """Tell whether a body has so short a header that `_open_body` would forget it: then it is not even visited."""
        role = self._roles[body.kind_id]
        begin, end = body.byte_range
        return role is not None and role.is_body and begin < end and begin - start <= LEAF_BYTES

    def _visit_clause(self, start: int, end: int, role: _Role, frame: _Frame) -> _Frame | None:
        """Take in what an ``else`` leads: a body, a statement or another ``if``, whose bodies are those of the clause.

        Not all grammars have a node for the ``else`` itself; where there is one, it is the clause.
        """
        if frame.is_clause:
            return frame.within(role, None, is_plain=True)
        if not _is_deep(start, end, role, frame):
            self._append_leaf(start, end, "clause", frame)
            return None
        frame.last = -1
        self._nodes.append(OutlineNode(start, end, frame.depth, "clause"))
        return _Frame(
            *(start, end, frame.depth + 1, len(self._nodes), frame.owner),
            is_plain=not role.is_body,
            is_body=role.is_body,
            is_branch=role.is_branch,
        )

    def _visit_plain(self, start: int, end: int, role: _Role, frame: _Frame) -> _Frame | None:
        """Take in a node that defines nothing."""
        kind = role.kind_in_plain if frame.is_plain else role.kind
        if role.is_leaf or not _is_deep(start, end, role, frame):
            self._append_leaf(start, end, kind, frame)
            return None
        if (start, end) == (frame.start, frame.end):
            return frame.within(role, frame.inner, is_plain=not role.holds_statements)
        frame.last = -1
        self._nodes.append(OutlineNode(start, end, frame.depth, kind))
        return _Frame(
            *(start, end, frame.depth + 1, len(self._nodes), frame.owner),
            is_list=role.is_list,
            is_plain=not role.holds_statements,
            is_body=role.holds_statements,
            is_branch=role.is_branch,
            is_clause=role.kind == "clause",
        )

    def _open_body(self, start: int, frame: _Frame) -> None:
        """Forget the pieces of a header that is short: as text before the body it stays in one piece."""
        if not frame.has_body and frame.start >= 0 and start - frame.start <= LEAF_BYTES:
            for i in range(frame.first, len(self._nodes)):
                self.inner.pop(i, None)
            del self._nodes[frame.first :]
        frame.has_body = True
        frame.last = -1

    def _append_leaf(self, start: int, end: int, kind: str, frame: _Frame) -> None:
        """Append a node without children, or extend its elder sibling where one line or a huge table unites them."""
        frame.siblings += 1
        nodes, last = self._nodes, frame.last
        if last >= 0:
            elder = nodes[last]
            size, elder_end, elder_kind = end - elder[0], elder[1], elder[3]
            if size <= LEAF_BYTES and (
                (_LF not in self._data[elder_end - 1 : start] and not self._starts_line(elder_end, start))
                or (frame.siblings > MANY_SIBLINGS and size <= RUN_BYTES and kind == elder_kind)
            ):
                if kind in (elder_kind, "comment"):
                    kind = elder_kind
                elif kind != "element":
                    kind = self._language.plain_kind
                nodes[last] = _new_node(OutlineNode, (elder[0], end, elder[2], kind, "", "", ""))
                return
        frame.last = len(nodes)
        nodes.append(_new_node(OutlineNode, (start, end, frame.depth, kind, "", "", "")))

    def _starts_line(self, elder_end: int, start: int) -> bool:
        return self._has_cr and _CR in self._data[elder_end - 1 : start]


def _goto_child(cursor: tree_sitter.TreeCursor, skipped: int) -> bool:
    """Go to the first child, or to the first one that ends behind an offset; tell whether there is one."""
    return cursor.goto_first_child() if skipped < 0 else cursor.goto_first_child_for_byte(skipped) is not None


def _is_alternative(role: _Role, frame: _Frame) -> bool:
    if frame.is_clause:
        return role.is_branch
    return frame.is_branch and frame.has_body and (role.is_body or role.is_statement)


def _is_deep(start: int, end: int, role: _Role, frame: _Frame) -> bool:
    return (end - start > LEAF_BYTES or role.is_group) and frame.depth < MAX_DEPTH
