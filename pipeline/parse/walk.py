"""Which syntax nodes make it into an outline: only as deep as chunking needs, plus every definition's name.

A node is looked into when it is large, or when it is a class or the like, whose members are worth a name however
small they are. The walk keeps its own stack, so no nesting is too deep for it, and looks at each node once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import tree_sitter

from pipeline.parse.definitions import Definition, PlainType, find_definition, find_plain, plain_type
from pipeline.parse.doc_comments import first_above
from pipeline.parse.languages import BRANCHES, CLAUSES, HOLDERS, Language, grammar_of, language_of
from pipeline.types import OutlineNode

#: Bytes. A node up to this size is not looked into; no sensible budget is below it. For larger
#: budgets larger nodes may be left alone: twice as much saves a fifth of the walk.
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
_BRACE = ord("}")

#: Makes a node from a plain tuple, in half the time that its own constructor takes: 2 % of the time of a parse.
_new_node = tuple.__new__

#: Bodies that are statements as well, where they stand alone in a body.
BLOCKS = frozenset({"compound_statement", "statement_block", "block"})
#: Bodies that begin with what they hold, so that a comment before the first of it is outside.
BARE = frozenset({"body_statement"})


@dataclass(slots=True)
class _Frame:
    """The node whose children are being visited, and what is known of the ones visited so far.

    ``depth`` is what its children get and ``first`` the index of the first one among the nodes. ``inner`` is the span
    of a definition that the node wraps; ``owner`` the kind of the closest definition. ``reach`` is where the latest
    node ends if the next sibling may join it, -1 if not. ``is_list`` says that bodies in it are nodes of their own,
    ``is_plain`` that it is neither a definition nor a body, so that it holds elements rather than statements, and
    ``is_body`` that it is a body or the like, so that a block in it is a statement, ``is_branch`` that it is an
    ``if``, in which a second body is a clause, and ``is_clause`` that it is a clause, of which an ``if`` is all. What
    is before the offset ``skipped`` is not visited: there begins the body whose children ``body`` is for.
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
    reach: int = -1
    skipped: int = -1
    body: _Frame | None = None

    def within(self, role: _Role, inner: tuple[int, int] | None, *, is_plain: bool) -> _Frame:
        """Return the frame for the children of a child that has no node of its own."""
        frame = _Frame(self.start, self.end, self.depth, self.first, self.owner, inner, role.is_list, is_plain)
        frame.is_body, frame.has_body, frame.is_branch = role.is_body, self.has_body, role.is_branch
        return frame


@dataclass(frozen=True, slots=True)
class _Role:
    """What a node type means to the walk.

    ``kind`` is the outline's word for it where it defines nothing, ``kind_in_plain`` the one among elements.
    """

    kind: str
    kind_in_plain: str
    may_be_leaf: bool
    is_body: bool
    is_list: bool
    may_define: bool
    plain: PlainType | None
    is_leaf: bool
    is_group: bool
    holds_statements: bool
    is_block: bool
    is_branch: bool
    is_statement: bool
    is_rest: bool
    is_bare: bool


class _Kinds(dict[int, str | None]):
    """The kinds of node types that are a leaf while they are small; empty for the others, None for the nameless."""

    def __init__(self, kind_of: Callable[[_Role], str], roles: _Roles) -> None:
        self._kind_of = kind_of
        self._roles = roles

    def __missing__(self, kind_id: int) -> str | None:
        role = self._roles[kind_id]
        kind = self[kind_id] = None if role is None else self._kind_of(role)
        return kind


class _Roles(dict[int, _Role | None]):
    """The roles of one grammar's node types by their number, each found at its first use; None: without a name."""

    def __init__(self, language: Language, grammar: tree_sitter.Language) -> None:
        self._language = language
        self._grammar = grammar
        self._among_statements = _Kinds(lambda role: role.kind if role.may_be_leaf else "", self)
        self._among_elements = _Kinds(lambda role: role.kind_in_plain if role.may_be_leaf else "", self)
        self._all_visited = _Kinds(lambda _: "", self)
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
            may_be_leaf=not is_body and not may_define and kind != "clause" and name not in known.groups,
            is_body=is_body,
            # What an error holds is not in its place, so a body there belongs to nothing.
            is_list=name in known.lists or kind_id == ERROR_ID,
            may_define=may_define,
            plain=plain_type(name, known) if may_define else None,
            is_leaf=name in self._leaves or name in known.opaque,
            is_group=name in known.groups,
            holds_statements=name in known.groups
            or name in HOLDERS
            or kind_id == ERROR_ID
            or (is_body and name not in known.lists),
            is_block=name in BLOCKS,
            is_branch=name in BRANCHES,
            is_statement=name.endswith("_statement"),
            is_rest=name in known.rests,
            is_bare=name in BARE,
        )
        return role

    def kinds_in(self, frame: _Frame) -> _Kinds:
        """Return the kinds that nodes have inside a frame; most are leaves, so that one look tells what to do."""
        if frame.inner is not None or frame.is_branch:
            return self._all_visited
        return self._among_elements if frame.is_plain else self._among_statements


@cache
def _roles_of(language: str) -> _Roles:
    grammar = grammar_of(language)
    if grammar is None:
        raise LookupError(language)
    return _Roles(language_of(language), grammar)


class Walk:
    """One pass over a syntax tree that collects the outline's nodes in pre-order."""

    def __init__(self, data: bytes, language: Language, leaf_bytes: int = LEAF_BYTES) -> None:
        self._data = data
        self._leaf_bytes = leaf_bytes
        self._has_cr = b"\r" in data
        self._language = language
        self._containers = language.containers
        self._roles = _roles_of(language.name)
        self._nodes: list[OutlineNode] = []
        #: The span of the definition proper, by the index of the node that wraps it.
        self.inner: dict[int, tuple[int, int]] = {}
        #: The indices of the top-level nodes that are about what follows them.
        self.rests: list[int] = []

    def nodes(self, tree: tree_sitter.Tree) -> list[OutlineNode]:
        """Return the outline's nodes."""
        cursor, root = tree.walk(), tree.root_node
        frame = _Frame(-1, root.end_byte, 0, 0, is_list=root.type in self._language.lists, is_body=True)
        frames: list[_Frame] = []
        # Every node passes here, so what it takes is in locals, and what most are, leaves, is dealt with at once.
        data, append, goto_next_sibling = self._data, self._nodes.append, cursor.goto_next_sibling
        depth, kinds, leaf_bytes = frame.depth, self._roles.kinds_in(frame), self._leaf_bytes
        is_inside = cursor.goto_first_child()
        while True:
            if not is_inside:
                if not frames:
                    return self._nodes
                frame = _left(frame, frames)
                depth, kinds = frame.depth, self._roles.kinds_in(frame)
                cursor.goto_parent()
                is_inside = goto_next_sibling()
                continue
            node = cursor.node
            assert node is not None  # noqa: S101  a cursor always stands on a node
            kind = kinds[node.kind_id]
            if kind is not None:
                start, end = node.byte_range
                if not kind or end - start > leaf_bytes:
                    inside = self._visit(node, start, end, frame)
                    if inside is not None and _goto_child(cursor, inside.skipped):
                        frames.append(frame)
                        frame = inside
                        if frame.body is not None and cursor.goto_first_child():
                            frames.append(frame)
                            frame = frame.body
                        depth, kinds = frame.depth, self._roles.kinds_in(frame)
                        continue
                elif start < end:
                    reach = frame.reach
                    # Most follow a sibling that ends its line: that is one byte to look at.
                    if frame.siblings >= MANY_SIBLINGS or (
                        (reach == start or data[reach] != _LF) and reach >= 0 and _LF not in data[reach - 1 : start]
                    ):
                        self._append_leaf(start, end, kind, frame)
                    else:
                        frame.siblings += 1
                        frame.reach = end
                        append(_new_node(OutlineNode, (start, end, depth, kind, "", "", "")))
            is_inside = goto_next_sibling()

    def _visit(self, node: tree_sitter.Node, start: int, end: int, frame: _Frame) -> _Frame | None:
        """Take in one node; return the frame to visit its children with, or None to leave them alone."""
        role = self._roles[node.kind_id]
        if start == end or role is None:
            return None
        if frame.inner is not None and start <= frame.inner[0] and frame.inner[1] <= end:
            return self._visit_wrapped(start, end, role, frame)
        if (frame.is_branch or frame.is_clause) and _is_alternative(role, frame):
            return self._visit_clause(start, end, role, frame)
        if frame.is_branch and role.is_statement:
            self._open_body(start, frame)
        if role.is_body and not frame.is_list and not (role.is_block and frame.is_body):
            self._open_body(start, frame, is_bare=role.is_bare)
            return frame.within(role, None, is_plain=role.is_list)
        if role.may_define:
            plain, owner, definition = role.plain, frame.owner, None
            if plain is not None:
                definition = find_plain(node, start, self._data, plain, owner)
            if definition is None:
                definition = find_definition(node, self._data, self._language, owner, LEAF_BYTES)
            if definition is not None:
                return self._define(start, end, definition, role, frame)
        return self._visit_plain(start, end, role, frame)

    def _visit_wrapped(self, start: int, end: int, role: _Role, frame: _Frame) -> _Frame:
        """Go on towards a wrapped definition, which is a node of its own: it may fit where the whole does not."""
        if (start, end) != frame.inner:
            return frame.within(role, frame.inner, is_plain=frame.is_plain)
        if frame.end - frame.start <= LEAF_BYTES or (start, end) == (frame.start, frame.end):
            return frame.within(role, None, is_plain=frame.is_plain)
        frame.reach = -1
        self._nodes.append(OutlineNode(start, end, frame.depth, "inner"))
        return _Frame(start, end, frame.depth + 1, len(self._nodes), frame.owner, is_list=role.is_list)

    def _define(self, start: int, end: int, definition: Definition, role: _Role, frame: _Frame) -> _Frame | None:
        """Take in a node that defines something."""
        kind, name, signature, inner, body = definition
        frame.reach = -1
        if inner is not None:
            self.inner[len(self._nodes)] = inner
        self._nodes.append(_new_node(OutlineNode, (start, end, frame.depth, kind, name, signature, "")))
        if role.is_rest and not frame.depth and self._data[end - 1] != _BRACE:
            self.rests.append(len(self._nodes) - 1)
            return None
        is_container = kind in self._containers and frame.depth < MAX_DEPTH
        if not is_container and not _is_deep(end - start, self._leaf_bytes, role, frame):
            return None
        inside = _Frame(start, end, frame.depth + 1, len(self._nodes), kind, inner, role.is_list)
        if body is not None and inner is None and not role.is_list:
            self._enter_at_once(body, inside)
        return inside

    def _enter_at_once(self, body: tree_sitter.Node, inside: _Frame) -> None:
        """Skip a header that is so short that `_open_body` would forget it, and go on with what is in the body."""
        role = self._roles[body.kind_id]
        begin, end = body.byte_range
        if role is not None and role.is_body and begin < end and begin - inside.start <= LEAF_BYTES:
            inside.skipped, inside.has_body = begin, True
            inside.body = inside.within(role, None, is_plain=role.is_list)

    def _visit_clause(self, start: int, end: int, role: _Role, frame: _Frame) -> _Frame | None:
        """Take in what an ``else`` leads: a body, a statement or another ``if``, whose bodies are those of the clause.

        Not all grammars have a node for the ``else`` itself; where there is one, it is the clause.
        """
        if frame.is_clause:
            return frame.within(role, None, is_plain=True)
        if not _is_deep(end - start, LEAF_BYTES, role, frame):
            self._append_leaf(start, end, "clause", frame)
            return None
        frame.reach = -1
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
        # A clause may have to be cut long before it is above a budget.
        leaf_bytes = LEAF_BYTES if role.kind == "clause" else self._leaf_bytes
        if role.is_leaf or not _is_deep(end - start, leaf_bytes, role, frame):
            self._append_leaf(start, end, kind, frame)
            return None
        if (start, end) == (frame.start, frame.end):
            return frame.within(role, frame.inner, is_plain=not role.holds_statements)
        frame.reach = -1
        self._nodes.append(OutlineNode(start, end, frame.depth, kind))
        return _Frame(
            *(start, end, frame.depth + 1, len(self._nodes), frame.owner),
            is_list=role.is_list,
            is_plain=not role.holds_statements,
            is_body=role.holds_statements,
            is_branch=role.is_branch,
            is_clause=role.kind == "clause",
        )

    def _open_body(self, start: int, frame: _Frame, *, is_bare: bool = False) -> None:
        """Forget the pieces of a header that is short: as text before the body it stays in one piece."""
        if not frame.has_body and frame.start >= 0 and start - frame.start <= LEAF_BYTES:
            behind = first_above(self._data, self._nodes, frame.first, start) if is_bare else len(self._nodes)
            for i in range(frame.first, behind):
                self.inner.pop(i, None)
            del self._nodes[frame.first : behind]
        frame.has_body = True
        frame.reach = -1

    def _append_leaf(self, start: int, end: int, kind: str, frame: _Frame) -> None:
        """Append a node without children, or extend its elder sibling where one line or a huge table unites them."""
        frame.siblings += 1
        nodes = self._nodes
        if frame.reach >= 0:
            elder = nodes[-1]
            size, elder_end, elder_kind = end - elder[0], elder[1], elder[3]
            if size <= LEAF_BYTES and (
                (_LF not in self._data[elder_end - 1 : start] and not self._starts_line(elder_end, start))
                or (frame.siblings > MANY_SIBLINGS and size <= RUN_BYTES and kind == elder_kind)
            ):
                if kind in (elder_kind, "comment"):
                    kind = elder_kind
                elif kind != "element":
                    kind = self._language.plain_kind
                frame.reach = end
                nodes[-1] = _new_node(OutlineNode, (elder[0], end, elder[2], kind, "", "", ""))
                return
        frame.reach = end
        nodes.append(_new_node(OutlineNode, (start, end, frame.depth, kind, "", "", "")))

    def _starts_line(self, elder_end: int, start: int) -> bool:
        return self._has_cr and _CR in self._data[elder_end - 1 : start]


def _left(done: _Frame, frames: list[_Frame]) -> _Frame:
    """Return the frame around one that is done; where it is of the same definition, it learns what that one did."""
    frame = frames.pop()
    if frame.first == done.first:
        frame.has_body |= done.has_body
        frame.reach = -1
    return frame


def _goto_child(cursor: tree_sitter.TreeCursor, skipped: int) -> bool:
    """Go to the first child, or to the first one that ends behind an offset; tell whether there is one."""
    return cursor.goto_first_child() if skipped < 0 else cursor.goto_first_child_for_byte(skipped) is not None


def _is_alternative(role: _Role, frame: _Frame) -> bool:
    if frame.is_clause:
        return role.is_branch
    return frame.is_branch and frame.has_body and (role.is_body or role.is_statement)


def _is_deep(size: int, leaf_bytes: int, role: _Role, frame: _Frame) -> bool:
    return (size > leaf_bytes or role.is_group) and frame.depth < MAX_DEPTH
