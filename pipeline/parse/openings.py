"""A string that a file begins with is called a comment: it documents the file, or directs who reads it.

A docstring and ``"use client";`` are statements to their grammars, but no code that stands beside a definition.
"""

from __future__ import annotations

import tree_sitter

from pipeline.parse.languages import Language
from pipeline.types import OutlineNode


def call_opening(nodes: list[OutlineNode], tree: tree_sitter.Tree, language: Language) -> None:
    """Call the first node behind a file's leading comments a comment if it is a string and nothing else."""
    at = next((i for i, node in enumerate(nodes) if node.kind != "comment"), len(nodes))
    if at == len(nodes) or nodes[at].kind != language.plain_kind or not _is_string(nodes[at], tree, language):
        return
    end = nodes[at].end
    while at < len(nodes) and nodes[at].start < end:  # a large string has a node inside
        nodes[at] = nodes[at]._replace(kind="comment")
        at += 1


def _is_string(node: OutlineNode, tree: tree_sitter.Tree, language: Language) -> bool:
    cursor = tree.walk()
    if cursor.goto_first_child_for_byte(node.start) is None:
        return False
    statement = cursor.node
    if statement is None or statement.type not in language.openings or statement.byte_range != node[:2]:
        return False
    inner = statement.named_child(0) if statement.named_child_count == 1 else None
    return inner is not None and inner.type == "string"
