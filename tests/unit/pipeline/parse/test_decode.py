"""What bytes become which text, and that it is the same text every time."""

from __future__ import annotations

import codecs

import pytest

from pipeline.errors import MalformedDocument, UnsupportedMediaType
from pipeline.parse.decode import decode, text_of


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain\n",
        b"\xef\xbb\xbfx = 1\n",
        b"a\r\nb\rc\n",
        "größe = '日本 👩‍👧'\n".encode(),
        b"tab\tand\x0cfeed \x1b[0m",
        b"# -*- coding: latin-1 -*-\nx = '\xc3\xa4'\n",
    ],
)
def test_valid_utf8_is_its_own_text(data: bytes) -> None:
    text = decode(data)
    assert (text.data, text.encoding) == (data, "utf-8")
    assert text_of(data, text.encoding) is data


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_marked_file_becomes_utf8_and_keeps_its_mark(mark: bytes, encoding: str) -> None:
    data = mark + "x = 'ä👩'\r\n".encode(encoding)
    text = decode(data)
    assert text.encoding == encoding
    assert text.data == "\ufeffx = 'ä👩'\r\n".encode()
    assert text_of(data, encoding) == text.data


def test_utf16_that_looks_like_utf32_is_read_as_utf16() -> None:
    data = codecs.BOM_UTF16_LE + "\0ab".encode("utf-16-le")
    assert decode(data).encoding == "utf-16-le"


@pytest.mark.parametrize("data", [codecs.BOM_UTF16_LE + b"a", codecs.BOM_UTF16_BE + b"\xd8\x00\x00a"])
def test_a_mark_that_lies_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedDocument, match="UTF-8"):
        decode(data)


@pytest.mark.parametrize("data", [b"\0", b"\x89PNG\r\n\0\0", b"x" * 100_000 + b"\0", "x".encode("utf-16-le")])
def test_nul_without_a_mark_is_binary(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode(data)


@pytest.mark.parametrize(
    ("cookie", "encoding"),
    [("cp1252", "cp1252"), ("koi8-r", "koi8-r"), ("Shift_JIS", "shift_jis"), ("latin-1", "iso8859-1")],
)
def test_a_declared_encoding_is_used(cookie: str, encoding: str) -> None:
    word = {"cp1252": "“é”", "koi8-r": "привет", "shift_jis": "日本", "iso8859-1": "é"}[encoding]
    source = f"#!/usr/bin/env python\n# vim: set fileencoding={cookie} :\nx = '{word}'\n"
    data = source.encode(encoding)
    assert decode(data).encoding == encoding
    assert decode(data).data == source.encode() == text_of(data, encoding)


@pytest.mark.parametrize(
    "cookie",
    ["nonsense", "rot13", "utf-7", "utf-16", "punycode", "unicode_escape", "idna", "cp037", "utf-8", "ascii", "hex"],
)
def test_a_cookie_that_cannot_be_true_is_ignored(cookie: str) -> None:
    data = f"# coding: {cookie}\nx = '".encode() + b"\xe9\\ud800'\n"
    assert decode(data).encoding == "latin-1"


def test_a_cookie_in_the_third_line_or_behind_code_is_none() -> None:
    assert decode(b"\n\n# coding: cp1252\n\x93").encoding == "latin-1"
    assert decode(b"x = 1\n# coding: cp1252\n\x93").encoding == "latin-1"


def test_anything_else_is_latin1() -> None:
    data = bytes(range(1, 256))
    assert decode(data).data == data.decode("latin-1").encode()


def test_text_of_refuses_bytes_of_another_encoding() -> None:
    with pytest.raises(MalformedDocument):
        text_of(b"\xff", "utf-8")
    with pytest.raises(MalformedDocument):
        text_of(b"x", "no-such-encoding")
