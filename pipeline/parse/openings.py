"""What a file begins or ends with and is about all of it is called a comment or an import: it is no code of its own.

A docstring and ``"use client";`` are statements to their grammars, and the guard of a C header is a block around it.
What a file ends with may say what others see of it (``export default Order;``).
"""

from __future__ import annotations

import re

import tree_sitter

from pipeline.parse.languages import Language
from pipeline.types import OutlineNode


def call_opening(nodes: list[OutlineNode], tree: tree_sitter.Tree, data: bytes, language: Language) -> None:
    """Call the first node behind a file's leading comments by what it is for, if it is about the whole file."""
    at = _behind_comments(nodes, 0)
    if at < len(nodes) and nodes[at].kind == language.plain_kind:
        if language.once is not None:
            _call_guard(nodes, at, data, language.once)
        elif language.openings and _is_string(nodes[at], tree, language):
            _call(nodes, at, nodes[at].end, "comment")


def call_exports(nodes: list[OutlineNode], data: bytes, exports: re.Pattern[bytes]) -> None:
    """Call the last nodes imports as far as they only name what is exported."""
    for at in range(len(nodes) - 1, -1, -1):
        node = nodes[at]
        if node.kind == "comment":
            continue
        if node.depth or node.name or not exports.fullmatch(data, node.start, node.end):
            break
        nodes[at] = node._replace(kind="import")


def _call_guard(nodes: list[OutlineNode], at: int, data: bytes, once: re.Pattern[bytes]) -> None:
    """Call a header's guard an import; there may be two. The node of one is around what it guards."""
    while at < len(nodes) and (guard := once.match(data, nodes[at].start)):
        at = _behind_comments(nodes, _call(nodes, at, guard.end(), "import"))


def _call(nodes: list[OutlineNode], at: int, end: int, kind: str) -> int:
    """Give a kind to the nodes from an index on that start before an offset; return the index of the next one."""
    while at < len(nodes) and nodes[at].start < end:
        nodes[at] = nodes[at]._replace(kind=kind)
        at += 1
    return at


def _behind_comments(nodes: list[OutlineNode], at: int) -> int:
    while at < len(nodes) and nodes[at].kind == "comment":
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
