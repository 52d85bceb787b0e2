"""The header is short, stable and always valid text."""

from __future__ import annotations

import json

import pytest

from pipeline.header import MAX_HEADER_BYTES, Header, embedding_bytes, embedding_input, split_header


def test_the_header_says_where_the_code_is() -> None:
    text = embedding_input("a/b.py", ("class A(B)", "def f(self)"), ("g", "h"), "    return 1\n")
    assert text == "# a/b.py\n# in: class A(B) > def f(self)\n# defines: g, h\n    return 1\n"


def test_what_is_not_there_takes_no_line() -> None:
    assert embedding_input("notes.txt", (), (), "body") == "# notes.txt\nbody"


@pytest.mark.parametrize("letter", ["x", "ä", "日", "👩"])
def test_the_header_is_bounded_in_bytes(letter: str) -> None:
    body = "body"
    text = embedding_input(letter * 4_000, (letter * 300,) * 50, (letter * 100,) * 1_000, body)
    assert len(text.encode()) <= MAX_HEADER_BYTES + len(body)


def test_a_long_path_keeps_its_end_and_a_long_scope_its_innermost_part() -> None:
    text = embedding_input("d/" * 300 + "file.py", ("class Outer" * 40, "def inner()"), (), "")
    path, scope, _ = text.split("\n")
    assert path.endswith("/file.py")
    assert scope.endswith("> def inner()")


def test_odd_characters_stay_valid_text() -> None:
    text = embedding_input("dir/\udcff\0\n.py", ("def f\0()",), ("n\ud800",), "a\0b\udfff\r\n")
    assert "\0" not in text
    assert json.loads(json.dumps(text)).encode().decode() == text
    assert text.count("\n") == 4


def test_the_body_is_kept_as_it_is() -> None:
    body = "\ufeff\t x\r\n\x0c👩‍👧\r"
    assert embedding_input("p", (), (), body).endswith(f"\n{body}")


@pytest.mark.parametrize("scope", [(), ("class A(B)", "def f(self)")])
@pytest.mark.parametrize("defines", [(), ("g", "h")])
@pytest.mark.parametrize("body", ["", "one\n", "# a comment\n\nlast"])
def test_what_was_joined_is_split_again(scope: tuple[str, ...], defines: tuple[str, ...], body: str) -> None:
    header, rest = split_header(embedding_input("a/b.py", scope, defines, body))
    assert header == Header("a/b.py", " > ".join(scope), ", ".join(defines))
    assert rest == body


def test_a_text_without_a_header_loses_no_word() -> None:
    header, body = split_header("one line")
    assert (header.path, body) == ("one line", "")
    assert split_header("") == (Header("", "", ""), "")


@pytest.mark.parametrize("scope", [(), ("class A(B)", "def f\0(self)"), ("größe\ud800",)])
@pytest.mark.parametrize("defines", [(), ("g", "日本")])
@pytest.mark.parametrize("body", ["", "one\n", "a\0b\r\n\ufeff日 👩\u200d👧"])
def test_the_bytes_that_are_hashed_are_those_of_the_text(
    scope: tuple[str, ...], defines: tuple[str, ...], body: str
) -> None:
    told = embedding_bytes("dir/\udcff ä.py", scope, defines, body.encode())
    assert told == embedding_input("dir/\udcff ä.py", scope, defines, body).encode()
