"""The short way to a definition finds what the long way does, or leaves it to the long way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter

from pipeline.parse.definitions import MAX_NAME, MAX_SIGNATURE, Definition, find_definition, find_plain, plain_type
from pipeline.parse.languages import LANGUAGES, grammar_of, language_of

#: Those of optional grammars are left out where these are not installed.
SAMPLES = [
    path for path in sorted((Path(__file__).parent / "golden").glob("*.sample")) if grammar_of(path.stem) is not None
]
#: Languages most of whose definitions are plain ones.
CODE = ("python", "go", "php", "javascript", "typescript", "ruby")


def nodes_of(source: bytes, language: str) -> Iterator[tree_sitter.Node]:
    grammar = grammar_of(language)
    assert grammar is not None
    waiting = [tree_sitter.Parser(grammar).parse(source).root_node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children)


def found(source: bytes, language: str, owner: str = "") -> list[tuple[Definition | None, Definition | None]]:
    """Return what the short way and the long way find in every node that the short way may know."""
    known = language_of(language)
    return [
        (
            find_plain(node, node.start_byte, source, plain, owner),
            find_definition(node, source, known, owner, 0),
        )
        for node in nodes_of(source, language)
        if node.is_named and (plain := plain_type(node.type, known)) is not None
    ]


@pytest.mark.parametrize("owner", ["", "class", "function", "key"])
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_short_way_finds_what_the_long_way_does(path: Path, owner: str) -> None:
    language = path.stem
    short = [(plain, full) for plain, full in found(path.read_bytes(), language, owner) if plain is not None]
    assert [plain for plain, _ in short] == [full for _, full in short]
    assert short or language not in CODE


@pytest.mark.parametrize(
    ("source", "language"),
    [
        (b"def f(a):  # why\n    return a\n", "python"),
        (b"def f(a):\n    # first of the body\n    return a\n", "python"),
        (b"def f(a, %s):\n    return a\n" % (b"b, " * MAX_SIGNATURE), "python"),
        (b"def %s():\n    pass\n" % (b"f" * (MAX_NAME + 1)), "python"),
        ("def größe(straße) -> 'ß':\n    pass\n".encode(), "python"),
        (b"def f(a\0):\n    pass\n", "python"),
        (b"def f(\xff):\n    pass\n", "python"),
        (b"class A(\n    B,\n):\n    x = 1\n", "python"),
        (b"def f(): pass", "python"),
        (b"def f():\n", "python"),
        (b"function f() /* why */ { return 1 }\n", "javascript"),
        (b"class A { /* before */ m() {} static async *n() {} 'quoted'() {} [computed]() {} }\n", "javascript"),
        (b"@Test public class A { @Override public void m() { } void n() { } }\n", "java"),
        (b"def m a, b # why\n  a\nend\ndef n = 1\ndef o; end\n", "ruby"),
        (b"<?php\n#[Attribute]\nfunction f() { }\nfunction g(): int\n{\n}\n", "php"),
        (b"func F() int { return 1 }\nfunc (t *T) G() {}\n", "go"),
        (
            b"abstract class A { abstract f(): void; g(): number { return 1 } }\ninterface I { h(): void }\n",
            "typescript",
        ),
    ],
)
@pytest.mark.parametrize("owner", ["", "class"])
def test_what_is_unusual_is_found_as_the_long_way_does(source: bytes, language: str, owner: str) -> None:
    ways = found(source, language, owner)
    assert ways
    assert all(plain in (None, full) for plain, full in ways)


def test_comments_behind_a_header_are_no_part_of_its_signature() -> None:
    ((plain, full),) = found(b"def f(a):  # why\n    return a\n", "python")
    assert plain is None
    assert full is not None
    assert full.signature == "def f(a)"


def test_types_that_need_a_closer_look_have_no_short_way() -> None:
    for name in LANGUAGES:
        known = language_of(name)
        for special in (known.wrappers, known.names, known.headings, known.sized, known.outermost):
            assert all(plain_type(each, known) is None for each in special)
        assert all(plain_type(each, known) is None for each, kind in known.definitions.items() if kind == "key")
