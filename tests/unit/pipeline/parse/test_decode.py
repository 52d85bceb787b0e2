"""What bytes become which text, and that it is the same text every time."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import MalformedDocument, UnsupportedMediaType
from pipeline.parse.decode import MOSTLY_UTF8, Newlines, Text, decode, text_of, unmarked_utf16


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


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["x = 1\r\n", "// größe 👩\nint a;\n", "Ελλάδα, Ελλάδα.\n", "# 日本\nx = '一丁'  # ok\n"]
)
def test_utf16_without_a_mark_is_read_as_such(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert decode(data) == Text(text.encode(), encoding)
    assert text_of(data, encoding) == text.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\x89PNG\r\n\0\0",
        b"x" * 100_000 + b"\0",
        "x".encode("utf-16-le"),
        "odd length".encode("utf-16-le") + b"\0",
        "some text\0 and a NUL".encode("utf-16-le"),
        "a control \x01 in it".encode("utf-16-be"),
        bytes(range(256)) * 4,
        b"\1\0\2\0\3\0\4\0\5\0\6\0",
        "a half \ud800 surrogate".encode("utf-16-le", "surrogatepass"),
        "as many as".encode("utf-16-le") + "as here ..".encode("utf-16-be"),
        "text in four bytes".encode("utf-32-le"),
        "x" * 70_000 + "\0",
    ],
)
def test_other_nul_bytes_without_a_mark_are_binary(data: bytes | str) -> None:
    data = data.encode("utf-16-le") if isinstance(data, str) else data
    assert unmarked_utf16(data) is None
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
    assert decode(b"\n\n# coding: koi8-r\n\xd0").encoding == "latin-1"
    assert decode(b"x = 1\n# coding: koi8-r\n\xd0").encoding == "latin-1"


def test_a_cookie_below_a_line_in_its_encoding_is_used() -> None:
    assert decode("# größe\n# coding: cp1252\n".encode("cp1252")).encoding == "cp1252"


@pytest.mark.parametrize(
    "head",
    [
        '<?xml version="1.0" encoding="KOI8-R" standalone="yes"?>\n',
        "\n<?xml encoding = 'koi8-r' version='1.0'?><a>",
        '@charset "koi8-r";\n',
        '<!doctype html>\n<html><head><meta charset="koi8-r">',
        "<html><META Charset=koi8-r />",
        '<html><meta http-equiv="Content-Type" content="text/html; charset=koi8-r">',
        "/* -*- mode: c; coding: koi8-r -*- */\n",
        "#!/bin/sh\n; -*- coding: koi8-r-unix; mode: lisp -*-\n",
        "// vim: set ts=4 fileencoding=koi8-r:\n",
        "1\n2\n3\n4\n/* vim:fenc=koi8-r */\n",
    ],
)
def test_every_form_of_declaration_is_read(head: str) -> None:
    source = f"{head}// Привет\n"
    assert decode(source.encode("koi8-r")) == Text(source.encode(), "koi8-r")


@pytest.mark.parametrize(
    "head",
    [
        "print('<meta charset=koi8-r>')\n",
        '/* later */\n@charset "koi8-r";\n',
        "<p>" + " " * 1024 + "<meta charset=koi8-r>",
        "1\n2\n// -*- coding: koi8-r -*-\n",
        "1\n2\n3\n4\n5\n// vim: fenc=koi8-r\n",
        "-" * 4096 + " vim: fenc=koi8-r\n",
    ],
)
def test_what_is_no_declaration_where_it_stands_declares_nothing(head: str) -> None:
    assert decode(head.encode() + b"\xd0").encoding == "latin-1"


@pytest.mark.parametrize(
    ("declared", "encoding", "word"),
    [("shift_jis", "cp932", "①"), ("gb2312", "gb18030", "€"), ("euc-kr", "cp949", "똠"), ("big5", "cp950", "€")],
)
def test_what_an_encoding_lacks_is_read_in_its_superset(declared: str, encoding: str, word: str) -> None:
    source = f"# coding: {declared}\n# {word}\n"
    assert decode(source.encode(encoding)) == Text(source.encode(), encoding)


def test_a_declaration_that_the_bytes_contradict_gives_way_to_the_next() -> None:
    source = "# coding: euc-jp\n# vim: fenc=cp1251\n# я\n"
    assert decode(source.encode("cp1251")) == Text(source.encode(), "cp1251")


def test_latin1_on_a_web_page_means_windows_1252_and_in_python_itself() -> None:
    page = "<meta charset=iso-8859-1> “é”"
    assert decode(page.encode("cp1252")) == Text(page.encode(), "cp1252")
    assert decode(b"# coding: latin-1\n\x93").data == b"# coding: latin-1\n\xc2\x93"


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"caf\xe9", "café", "latin-1"),
        (b"\x93caf\xe9\x94 \x80", "“café” €", "cp1252"),
        (b"caf\xe9 \x81", "café \x81", "latin-1"),
        (bytes(range(1, 256)), bytes(range(1, 256)).decode("latin-1"), "latin-1"),
    ],
)
def test_undeclared_bytes_are_windows_1252_or_latin1(data: bytes, text: str, encoding: str) -> None:
    assert decode(data) == Text(text.encode(), encoding)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("größer, länger".encode() + b" caf\xe9", "größer, länger café"),
        ("日本語".encode() + b"\x93\x81", "日本語“\x81"),
        ("日本語の字".encode()[:-1], "日本語のå\xad"),
        (codecs.BOM_UTF8 + b"caf\xe9", "\ufeffcafé"),
    ],
)
def test_utf8_with_a_few_stray_bytes_keeps_its_own_characters(data: bytes, text: str) -> None:
    assert decode(data) == Text(text.encode(), MOSTLY_UTF8)
    assert text_of(data, MOSTLY_UTF8) == text.encode()


@pytest.mark.parametrize(
    ("data", "newlines"),
    [
        (b"", Newlines.NONE),
        (b"one line", Newlines.NONE),
        (b"a\nb\n", Newlines.LF),
        (b"a\r\nb", Newlines.CRLF),
        (b"a\rb\r", Newlines.CR),
        (b"a\nb\r\n", Newlines.MIXED),
        (b"a\r\r\n", Newlines.MIXED),
        ("a\r\nb\r\n".encode("utf-16"), Newlines.CRLF),
    ],
)
def test_line_ends_are_told_and_kept(data: bytes, newlines: Newlines) -> None:
    assert decode(data).newlines is newlines


@given(st.binary(max_size=200))
def test_any_bytes_without_nul_are_text_that_the_encodings_name_makes_again(data: bytes) -> None:
    data = data.replace(b"\0", b"x")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return
    text = decode(data)
    assert text_of(data, text.encoding) == text.data
    text.data.decode()


_CODECS = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252", "latin-1", "shift_jis", "koi8-r", "gb18030"]


@given(st.text(max_size=80), st.sampled_from(_CODECS))
def test_whatever_an_encoder_wrote_is_decoded_the_same_way_each_time(text: str, codec: str) -> None:
    data = text.encode(codec, "replace")
    try:
        found = decode(data)
    except UnsupportedMediaType:
        assert b"\0" in data
        return
    assert found == decode(data) == Text(text_of(data, found.encoding), found.encoding)
    # A NUL may make UTF-8 read as UTF-16 without a mark, and the mark of UTF-16 that of UTF-32.
    if codec in {"utf-8", "utf-8-sig", "utf-16", "utf-32"} and "\0" not in text:
        assert found.data.decode().removeprefix("\ufeff") == text.removeprefix("\ufeff")


def test_text_of_refuses_bytes_of_another_encoding() -> None:
    with pytest.raises(MalformedDocument):
        text_of(b"\xff", "utf-8")
    with pytest.raises(MalformedDocument):
        text_of(b"x", "no-such-encoding")
    with pytest.raises(MalformedDocument):
        text_of(b"abc", "utf-16-le")
