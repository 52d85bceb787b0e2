"""Every registry entry is usable, and files are recognised by name, extension and shebang."""

from __future__ import annotations

import pytest

from pipeline.parse.languages import LANGUAGES, TEXT, detect_language, grammar_of, language_of


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("a/b.PYI", "python"),
        ("web/x.js", "javascript"),
        ("web/x.jsx", "javascript"),
        ("web/x.mjs", "javascript"),
        ("web/x.cjs", "javascript"),
        ("web/x.ts", "typescript"),
        ("web/x.mts", "typescript"),
        ("web/x.d.ts", "typescript"),
        ("web/x.tsx", "tsx"),
        ("README.md", "markdown"),
        ("package.json", "json"),
        (".babelrc", "json"),
        ("deep.dir/ci.yaml", "yaml"),
        (".clang-format", "yaml"),
        ("SConstruct", "python"),
        ("Makefile", TEXT),
        ("notes.txt", TEXT),
        ("x.py.orig", TEXT),
        ("dir.py/noext", TEXT),
        ("", TEXT),
    ],
)
def test_the_name_decides(path: str, language: str) -> None:
    assert detect_language(path, b"") == language


@pytest.mark.parametrize(
    ("head", "language"),
    [
        (b"#!/usr/bin/env python3\n", "python"),
        (b"#!/usr/bin/python3.11 -u\n", "python"),
        (b"#! /usr/bin/env -S LANG=C python -u\r\n", "python"),
        (b"\xef\xbb\xbf#!/usr/bin/env node\n", "javascript"),
        (b"#!/usr/bin/env deno\n", "typescript"),
        (b"#!/bin/sh\n", TEXT),
        (b"#!\n", TEXT),
        (b"#!/usr/bin/env", TEXT),
        (b"# python", TEXT),
        (b"#!\xff\xfe", TEXT),
    ],
)
def test_a_shebang_decides_where_there_is_no_extension(head: bytes, language: str) -> None:
    assert detect_language("bin/tool", head) == language


def test_an_extension_is_stronger_than_a_shebang() -> None:
    assert detect_language("run.txt", b"#!/usr/bin/env python\n") == TEXT


def test_an_unknown_language_is_text() -> None:
    assert language_of("cobol").name == TEXT
    assert grammar_of("cobol") is None


@pytest.mark.parametrize("name", sorted(set(LANGUAGES) - {TEXT}))
def test_every_node_type_in_the_table_exists_in_its_grammar(name: str) -> None:
    language, grammar = language_of(name), grammar_of(name)
    assert grammar is not None
    named = {*language.definitions, *language.values, *language.wrappers}
    sets = (language.bodies, language.lists, language.comments, language.decorators, language.imports)
    for node_type in named.union(*sets, language.headings, language.opaque):
        assert grammar.id_for_node_kind(node_type, True), node_type
    for wrapper in language.wrappers.values():
        for field in (*wrapper.inner, wrapper.name):
            assert not field or grammar.field_id_for_name(field), field
