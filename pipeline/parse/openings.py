"""What a file begins or ends with and is about all of it is called a comment or an import: it is no code of its own.

A docstring and ``"use client";`` are statements to their grammars, the guard of a C header is a block around it, and
some languages import with calls. What a file ends with may say what others see of it (``export default Order;``).
"""

from __future__ import annotations

import re

import tree_sitter

from pipeline.parse.languages import Language
from pipeline.types import OutlineNode

_COMMENTS = frozenset({"comment"})
_COMMENTS_AND_IMPORTS = _COMMENTS | {"import"}


def call_opening(nodes: list[OutlineNode], tree: tree_sitter.Tree, data: bytes, language: Language) -> None:
    """Call the first nodes behind a file's leading comments by what they are for, if they are about the whole file."""
    at = _behind(nodes, 0, _COMMENTS)
    is_code = at < len(nodes) and nodes[at].kind == language.plain_kind
    if is_code and language.openings and _is_string(nodes[at], tree, language):
        at = _call(nodes, at, nodes[at].end, "comment")
    if language.preludes is not None:
        _call_preludes(nodes, at, data, language.preludes)


def call_exports(nodes: list[OutlineNode], data: bytes, exports: re.Pattern[bytes]) -> None:
    """Call the last nodes imports as far as they only name what is exported."""
    for at in range(len(nodes) - 1, -1, -1):
        node = nodes[at]
        if node.kind == "comment":
            continue
        if node.depth or node.name or not exports.fullmatch(data, node.start, node.end):
            break
        nodes[at] = node._replace(kind="import")


def _call_preludes(nodes: list[OutlineNode], at: int, data: bytes, preludes: re.Pattern[bytes]) -> None:
    """Call guards and calls that import imports; the node of a guard is around what it guards."""
    at = _behind(nodes, at, _COMMENTS_AND_IMPORTS)
    while at < len(nodes) and not nodes[at].name and (prelude := preludes.match(data, nodes[at].start)):
        at = _behind(nodes, _call(nodes, at, prelude.end(), "import"), _COMMENTS_AND_IMPORTS)


def _call(nodes: list[OutlineNode], at: int, end: int, kind: str) -> int:
    """Give a kind to the nodes from an index on that start before an offset; return the index of the next one."""
    while at < len(nodes) and nodes[at].start < end:
        nodes[at] = nodes[at]._replace(kind=kind)
        at += 1
    return at


def _behind(nodes: list[OutlineNode], at: int, kinds: frozenset[str]) -> int:
    while at < len(nodes) and nodes[at].kind in kinds:
        at += 1
    return at


def _is_string(node: OutlineNode, tree: tree_sitter.Tree, language: Language) -> bool:
    cursor = tree.walk()
    if cursor.goto_first_child_for_byte(node.start) is None:
        return False
    statement = cursor.node
    if statement is None or statement.type not in language.openings or statement.byte_range != node[:2]:
        return False
    inner = statement.named_child(0) if statement.named_child_count == 1 else None
    return inner is not None and inner.type == "string"
