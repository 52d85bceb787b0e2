"""The first line of what documents a definition is found, whatever the comment looks like, and nothing else is."""

from __future__ import annotations

import pytest

from pipeline.parse.doc_comments import comment_line, string_line
from pipeline.types import OutlineNode

SLASHES = (b"//", b"/*")


@pytest.mark.parametrize(
    ("string", "line"),
    [
        ('"""One line."""', "One line."),
        ('"""\n    Below.\n    """', "Below."),
        ("r'''Raw.\n\nMore.'''", "Raw."),
        ('"""\\\nEscaped end of line."""', "Escaped end of line."),
        ("'short'", "short"),
        ('"""größe 👩"""', "größe 👩"),
        ('"""CRLF.\r\nMore."""', "CRLF."),
        ('"""White space. \t\nMore."""', "White space."),
        ('"""\x0b \nMore."""', "More."),
        ('""""""', None),
        ("''", None),
        ('"""   """', None),
    ],
)
def test_the_first_line_of_a_string_is_found(string: str, line: str | None) -> None:
    data = f"x = {string}; y".encode()
    span = string_line(data, (4, 4 + len(string.encode())))
    assert (None if span is None else data[span[0] : span[1]].decode()) == line


def found(comment: str, between: str = "\n", openers: tuple[bytes, ...] = SLASHES, before: str = "") -> str | None:
    """Return the line that is found where ``comment`` stands before a definition, each of its lines as one node."""
    data = f"{before}{comment}{between}function f() {{}}".encode()
    nodes, start = [], len(before.encode())
    lines = comment.split("\n") if not comment.startswith("/*") else [comment]
    for line in lines:
        nodes.append(OutlineNode(start, start + len(line.encode()), 0, "comment"))
        start += len(line.encode()) + 1
    at = data.index(b"function f")
    nodes.append(OutlineNode(at, len(data), 0, "function", "f", "function f()"))
    span = comment_line(data, nodes, len(nodes) - 1, openers)
    return None if span is None else data[span[0] : span[1]].decode()


@pytest.mark.parametrize(
    ("comment", "line"),
    [
        ("/** Brief. */", "Brief."),
        ("/**\n * Brief.\n * More.\n */", "Brief."),
        ("/**\r\n * Brief.\r\n */", "Brief."),
        ("// First.\n// Second.", "First."),
        ("/// Brief.", "Brief."),
        ("/// <summary>\n/// Brief.\n/// </summary>", "Brief."),
        ("/// <summary>Brief.</summary>", "Brief."),
        ("/*\n   Brief.\n*/", "Brief."),
        ("// größe 👩", "größe 👩"),
        ("/*******\n * Brief.\n *******/", "Brief."),
        ("/** @param a */", None),
        ("/***/", None),
        ("//------", None),
        ("/**\n*\n*\n*\n*\n*\n* Too far down.\n*/", None),
    ],
)
def test_the_first_line_with_words_is_found(comment: str, line: str | None) -> None:
    assert found(comment) == line


@pytest.mark.parametrize(
    "directive",
    [
        *("//go:noinline", "//go:generate stringer", "//nolint:funlen", "// nolint", "//+build linux"),
        *("// eslint-disable-next-line", "/* eslint-disable */", "// tslint:disable", "// prettier-ignore"),
        *("// @ts-ignore", "// @ts-expect-error why", "/* istanbul ignore next */", "// NOLINTNEXTLINE(x)"),
        *("// clang-format off", "// rubocop:disable Metrics", "// shellcheck disable=SC1", "// noqa: E501"),
        *("// type: ignore[x]", "/// <inheritdoc />", "/** {@inheritDoc} */", "// ReSharper disable once X"),
    ],
)
def test_a_line_for_a_tool_is_skipped(directive: str) -> None:
    assert found(directive) is None
    assert found(f"{directive}\n// Words." if directive.startswith("//") else f"/* Words.\n{directive}") == "Words."


@pytest.mark.parametrize("line", ["Typed: what is typed.", "go: the game", "eslint rules are read.", "type: a word"])
def test_words_that_only_resemble_those_for_a_tool_are_kept(line: str) -> None:
    assert found(f"// {line}") == line


@pytest.mark.parametrize(
    ("between", "before"), [("\n\n", ""), ("\n\n\n", "x;\n"), ("\n", "x; ")], ids=["blank line", "far", "trailing"]
)
def test_a_comment_that_stands_apart_or_behind_code_documents_nothing(between: str, before: str) -> None:
    assert found("// Note.", between, before=before) is None


def test_only_the_languages_own_openers_document() -> None:
    assert found("// Note.", openers=(b"///", b"/**")) is None
    assert found("/// Doc.", openers=(b"///", b"/**")) == "Doc."


def test_a_shebang_documents_nothing() -> None:
    assert found("#!/bin/sh", openers=(b"#",)) is None
    assert found("# Doc.", openers=(b"#",)) == "Doc."


def test_a_decorator_may_stand_between() -> None:
    data = b"/// Doc.\n#[test]\nfn f() {}"
    nodes = [
        OutlineNode(0, 8, 0, "comment"),
        OutlineNode(9, 16, 0, "decorator"),
        OutlineNode(17, 26, 0, "function", "f", "fn f()"),
    ]
    assert comment_line(data, nodes, 2, (b"///",)) == (4, 8)


def test_a_definition_without_anything_before_it_has_no_comment() -> None:
    assert comment_line(b"f(){}", [OutlineNode(0, 5, 0, "function", "f", "f()")], 0, SLASHES) is None
