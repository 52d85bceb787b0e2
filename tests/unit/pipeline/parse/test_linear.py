"""Whatever is looked for in a text takes time that grows with the text, not with its square."""

from __future__ import annotations

from time import thread_time

import pytest

from pipeline.parse.declared import declared_encodings
from pipeline.parse.languages.detection import HEAD_BYTES, detect_language
from pipeline.parse.parser import parse

#: A header with comments between the parameters and the body of a function.
HEADERS = {
    "javascript": "function f() %s{ return 1; }",
    "c": "int f() %s{ return 1; }",
    "java": "class A { int f() %s{ return 1; } }",
    "csharp": "class A { int F() %s{ return 1; } }",
    "go": "func f() %s{ return 1; }",
    "php": "<?php function f() %s{ return 1; }",
    "rust": "fn f() %s{ 1 }",
}


@pytest.mark.parametrize("language", sorted(HEADERS))
def test_comments_before_a_body_are_passed_once(language: str) -> None:
    # To ask for the sibling before one is to count from the first: 360 kB took 15 s.
    text = (HEADERS[language] % ("/*a*/ " * 60_000)).encode()
    start = thread_time()
    outline = parse(text, language)
    assert thread_time() - start < 2.0
    assert any(node.signature.endswith(("f()", "F()")) for node in outline.nodes)


@pytest.mark.parametrize("run", [" ", "*", "\t*", "/*", "</a", "</a>", "*/ ", "</" + "a" * 50])
def test_the_end_of_a_comment_line_is_looked_for_once(run: str) -> None:
    # 2 kB of blanks took 8 s.
    text = f"// a{run * (100_000 // len(run))}b\nfunction f() {{}}\n".encode()
    start = thread_time()
    parse(text, "javascript")
    assert thread_time() - start < 1.0


def test_the_beginning_of_a_line_is_not_looked_for_far_away() -> None:
    # A line may be the whole file: this took 12 s.
    text = b"class A {" + b"/**/m(){}" * 120_000 + b"}"
    start = thread_time()
    parse(text, "javascript")
    assert thread_time() - start < 6.0


@pytest.mark.parametrize(
    "piece",
    ["#if __cplusplus ", "#if __cplusplus\n", '"\\', "class a\n", f"class {'a' * 90}\n", "vi:", "-*-mode:", "#!a=a= "],
)
def test_a_language_is_recognised_at_once(piece: str) -> None:
    # The first of them took 3 s.
    head = (piece.encode() * HEAD_BYTES)[:HEAD_BYTES]
    start = thread_time()
    for path in ("a.h", "a.ts", "a"):
        detect_language(path, head)
    assert thread_time() - start < 0.1


@pytest.mark.parametrize(
    "head", [b"-*-" * 600 + b"coding:a;" * 200, b"-*-coding:" * 400, b"# vi:" * 800, b"<meta charset= " * 270]
)
def test_an_encoding_that_is_declared_again_and_again_is_found_at_once(head: bytes) -> None:
    # The first of them took 1.6 s.
    start = thread_time()
    list(declared_encodings(head))
    assert thread_time() - start < 0.1
