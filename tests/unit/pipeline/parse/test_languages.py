"""Every registry entry is usable, and files are recognised by name, extension and shebang."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.parse.languages import (
    HEAD_BYTES,
    LANGUAGES,
    TEXT,
    detect_language,
    grammar_of,
    language_called,
    language_of,
    packed,
)
from pipeline.parse.parser import parse

ROOT = Path(__file__).parents[4]
#: The languages whose grammars are always installed.
OWN = sorted(name for name, language in LANGUAGES.items() if language.module not in {"", packed.MODULE})


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
        ("cmd/main.go", "go"),
        ("src/lib.rs", "rust"),
        ("A.java", "java"),
        ("a.c", "c"),
        ("a.C", "cpp"),
        ("a.hpp", "cpp"),
        ("a.CPP", "cpp"),
        ("A.cs", "csharp"),
        ("a.rb", "ruby"),
        ("Gemfile", "ruby"),
        ("a.php", "php"),
        ("a.sh", "bash"),
        (".bashrc", "bash"),
        ("index.html", "html"),
        ("a.css", "css"),
        ("App.vue", "vue"),
        ("pyproject.toml", "toml"),
        ("Cargo.lock", "toml"),
        ("schema.sql", "sql"),
        ("Main.kt", "kotlin"),
        ("main.tf", "hcl"),
        ("Dockerfile", "dockerfile"),
        ("a.m", TEXT),
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
        (b"#!/bin/sh\n", "bash"),
        (b"#!/usr/bin/env ruby\n", "ruby"),
        (b"#!/usr/bin/env -S uv run --script\n", "python"),
        (b"#!/usr/bin/awk -f\n", TEXT),
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
    assert detect_language("run.rb", b"#!/usr/bin/env python\n") == "ruby"


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("configure.in", b"#!/bin/sh\n", "bash"),
        ("install.orig", b"<?php echo 1;", "php"),
        ("site.conf", b"# vim: ft=yaml\n", "yaml"),
        ("data.other", b"words\n", TEXT),
    ],
)
def test_content_decides_where_an_extension_says_nothing(path: str, head: bytes, language: str) -> None:
    assert detect_language(path, head) == language


@pytest.mark.parametrize(
    ("head", "language"),
    [
        (b"# -*- mode: ruby; tab-width: 2 -*-\n", "ruby"),
        (b"# -*- python -*-\n", "python"),
        (b"# -*- coding: utf-8 -*-\n", TEXT),
        (b"// vim: set ts=4 ft=cpp :\n", "cpp"),
        (b"#!/bin/sh\n# vim: ft=python\n", "bash"),
        (b"x" * 600 + b"\n# vim: ft=python\n", TEXT),
        (b"<!-- a -->\n<!DOCTYPE html>\n<p>", "html"),
        (b"<?php\necho 1;", "php"),
        (b"<?xml version='1.0'?>", TEXT),
        (b'\n{ "name": 1 }', "json"),
        (b"{ name }", TEXT),
    ],
)
def test_a_file_without_an_extension_is_known_by_what_it_says(head: bytes, language: str) -> None:
    assert detect_language("bin/tool", head) == language


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("a.h", b"int add(int a, int b);\n", "c"),
        ("a.h", b"", "c"),
        ("a.h", b"/* class of things::all */\n// namespace\nstruct class_of { int a; };\n", "c"),
        ("a.h", b'#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n', "c"),
        ("a.h", b'extern "C" int f(void);\nconst char *s = "a::b";\n', "c"),
        ("a.h", b"  # if defined(__cplusplus)\nclass A {};\n# endif\r\n#ifdef __cplusplus\nclass B {};\n#endif\n", "c"),
        ("a.h", b"#ifdef __cplusplus\nclass A {};\n#endif\nclass B {};\n", "cpp"),
        ("a.h", b'#define QUOTE \'"\'\nclass A {};\n#define S "b"\n', "cpp"),
        ("a.h", b'#error a 14" screen::size\n', "c"),
        ("a.h", b"class Store {\n public:\n};\n", "cpp"),
        ("a.h", b"class Store;\nint f(void);\nnamespace a { int g(); }\n", "cpp"),
        ("a.H", b"template <typename T> T f(T t);\n", "cpp"),
        ("a.h", b"std::string name();\n", "cpp"),
        ("a.h", b"// licence\n" * 300 + b"namespace a {}\n", "cpp"),
        ("a.ts", b"const a = <any>b;\n", "typescript"),
        ("a.ts", b"<?xml version='1.0'?>\n<!DOCTYPE TS>\n<TS>", TEXT),
        ("a.ts", b"<!DOCTYPE TS>\n<TS>", TEXT),
        ("a.ts", b"G\x40\x00\x10" + b"\xff" * 184, TEXT),
        ("a.inc", b"\n<?php echo 1;", "php"),
        ("a.inc", b"mov ax, 1", TEXT),
    ],
)
def test_content_decides_where_an_extension_has_several_meanings(path: str, head: bytes, language: str) -> None:
    assert detect_language(path, head) == language


@pytest.mark.parametrize(
    "piece", [b"/*", b'"', b"a::", b"#if __cplusplus\n", b"-*-", b"vim:", b"<!--", b"class a", b" \n"]
)
@pytest.mark.parametrize("path", ["a.h", "a.ts", "tool"])
def test_recognising_looks_at_the_head_alone(path: str, piece: bytes) -> None:
    head = (piece * HEAD_BYTES)[:HEAD_BYTES]
    assert detect_language(path, head + b"\nnamespace a { class B {}; }\n") == detect_language(path, head)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("py", "python"),
        ("C++", "cpp"),
        ("c#", "csharp"),
        ("shell", "bash"),
        ("yml", "yaml"),
        ("console", TEXT),
        ("", TEXT),
    ],
)
def test_people_call_languages_by_other_names_too(name: str, language: str) -> None:
    assert language_called(name) == language


def test_an_unknown_language_is_text() -> None:
    assert language_of("cobol").name == TEXT
    assert grammar_of("cobol") is None


@pytest.mark.parametrize("name", OWN)
def test_every_node_type_in_the_table_exists_in_its_grammar(name: str) -> None:
    language, grammar = language_of(name), grammar_of(name)
    assert grammar is not None
    named = {*language.definitions, *language.values, *language.wrappers, *language.names, *language.needs_body}
    named |= language.sized | language.outermost | language.groups | language.modifiers | language.bodies
    sets = (language.lists, language.comments, language.decorators, language.imports)
    for node_type in named.union(*sets, language.headings, language.opaque):
        assert grammar.id_for_node_kind(node_type, True), node_type
    for wrapper in language.wrappers.values():
        for field in (*wrapper.inner, wrapper.name):
            assert not field or grammar.field_id_for_name(field), field


def test_no_two_languages_claim_the_same_files() -> None:
    for claims in ("extensions", "file_names", "interpreters", "aliases"):
        claimed = [claim for language in LANGUAGES.values() for claim in getattr(language, claims)]
        assert len(claimed) == len(set(claimed)), claims


def test_no_grammar_is_loaded_before_it_is_used() -> None:
    code = (
        "import sys; import pipeline.parse.parser as p; p.parse(b'x', 'text'); p.parse(b'{}', 'json');"
        "print(*{m.partition('.')[0] for m in sys.modules if m.startswith('tree_sitter_')})"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, cwd=ROOT).stdout
    assert loaded.split() == ["tree_sitter_json"]


def test_a_language_of_the_pack_is_text_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, packed.MODULE, None)
    grammar_of.cache_clear()
    outline = parse(b"fun main() {}\n", "kotlin")
    assert (outline.language, outline.nodes, outline.has_error) == ("kotlin", (), False)


def test_a_language_of_the_pack_is_parsed_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # The pack itself is large and optional. It hands out the same objects as the wheels, so any grammar will do.
    asked: list[str] = []

    def get_language(name: str) -> object:
        asked.append(name)
        return grammar_of("go")

    monkeypatch.setitem(sys.modules, packed.MODULE, SimpleNamespace(get_language=get_language))
    grammar_of.cache_clear()
    try:
        outline = parse(b"package a\n\nfunc main() { run() }\n", "kotlin")
    finally:
        grammar_of.cache_clear()
    assert asked == ["kotlin"]
    assert [(node.kind, node.name) for node in outline.nodes if node.name] == [("namespace", "a"), ("function", "main")]


def test_a_pack_that_is_broken_is_no_missing_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setattr(packed, "import_module", broken)
    with pytest.raises(ModuleNotFoundError):
        packed.grammar("kotlin")
