"""Which nodes an outline leaves alone because they are small, and what it names all the same."""

from __future__ import annotations

from pipeline.parse.parser import parse
from pipeline.parse.walk import LEAF_BYTES
from pipeline.types import Outline


def test_only_large_nodes_are_looked_into() -> None:
    small = parse(b"x = [\n" + b"    1,\n" * 20 + b"]\n", "python")
    large = parse(b"x = [\n" + b"    1,\n" * LEAF_BYTES + b"]\n", "python")
    assert len(small.nodes) == 1
    assert len(large.nodes) > LEAF_BYTES


def test_what_is_in_larger_leaves_is_left_alone_but_for_members_and_clauses() -> None:
    inner = b"    def inner():\n" + b"        return 1\n" * 40
    text = b"class A:\n    def method(self):\n        return 2\ndef outer():\n" + inner
    branch = b"if a:\n" + b"    b()\n" * 200 + b"else:\n" + b"    c()\n" * 80
    assert LEAF_BYTES < len(inner) < 1_000
    assert names(parse(text, "python")) == ["A", "method", "outer", "inner"]
    assert names(parse(text, "python", leaf_bytes=1_000)) == ["A", "method", "outer"]
    assert len(parse(branch, "python", leaf_bytes=1_000).nodes) == len(parse(branch, "python").nodes)


def names(outline: Outline) -> list[str]:
    return [node.name for node in outline.nodes if node.name]
