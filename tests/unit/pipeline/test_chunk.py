"""What chunks are: where ordinary code is cut, what the chunks are called, and what an edit changes."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from statistics import median
from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk, count_newlines
from pipeline.chunk_pack import Packing
from pipeline.embed import estimate_tokens
from pipeline.errors import MalformedDocument
from pipeline.header import embedding_input
from pipeline.identity import chunk_id, embed_hash, text_hash
from pipeline.parse.parser import parse
from pipeline.types import Chunk, DocumentRef, Outline

DOCUMENT = DocumentRef(UUID(int=1), "pkg/store.py", "python", 1, b"r")
SMALL = ChunkBudget(300, 300)


def cut(source: str, language: str = "python", budget: ChunkBudget = SMALL) -> list[Chunk]:
    text = source.encode()
    return list(chunk(DOCUMENT, text, parse(text, language), budget).chunks)


def bodies(source: str, language: str = "python", budget: ChunkBudget = SMALL) -> list[str]:
    return [source.encode()[c.start : c.end].decode() for c in cut(source, language, budget)]


def function(name: str, lines: int, indent: str = "") -> str:
    body = "".join(f"{indent}    value_{i} = compute({i})\n" for i in range(lines))
    return f"{indent}def {name}(self):\n{body}"


def test_a_small_file_is_one_chunk() -> None:
    source = function("a", 1) + function("b", 1)
    assert bodies(source) == [source]


def test_an_empty_file_has_no_chunks() -> None:
    assert cut("") == []


def test_white_space_alone_is_one_chunk() -> None:
    (only,) = cut(" \n\n")
    assert (only.kind, only.start_line, only.end_line) == ("text", 1, 2)


def test_a_definition_that_fits_is_never_cut() -> None:
    source = "\n\n".join(function(f"f{i}", 5 + i % 4) for i in range(30))
    for body in bodies(source):
        assert body.lstrip().startswith("def ")


def test_a_comment_and_its_decorator_stay_with_their_definition() -> None:
    source = "\n\n".join(f"# about {i}\n# more\n@decorate({i})\n{function(f'f{i}', 7)}" for i in range(10))
    assert all(body.lstrip().startswith("# about") for body in bodies(source))


def test_a_trailing_comment_stays_on_its_line() -> None:
    source = "".join(f"value_{i} = {'x' * 80!r}  # note {i}\n" for i in range(30))
    assert all(body.startswith("value_") and body.endswith("\n") for body in bodies(source))


def test_a_comment_behind_a_blank_line_is_nobodys() -> None:
    comment = "# " + "licence " * 30 + "\n"
    first, second = bodies(comment + "\n\n" + function("f", 8))
    assert first.startswith("# licence")
    assert second.lstrip().startswith("def f")


def test_a_header_stays_with_the_first_statement_of_its_body() -> None:
    source = "class Store:\n    size = 1\n\n" + "\n".join(function(f"m{i}", 7, "    ") for i in range(5))
    assert bodies(source)[0].startswith("class Store:\n    size = 1\n")


def test_a_closing_bracket_stays_with_what_it_closes() -> None:
    source = "function f() {\n" + "  call(1234567890, 'abcdefghijkl');\n" * 30 + "}\n\nnext();\n"
    assert not any(body.startswith("}") for body in bodies(source, "javascript"))


def test_imports_stay_together() -> None:
    source = "".join(f"import module_{i}\n" for i in range(15)) + "\n\n" + function("f", 9)
    first, second = bodies(source)
    assert first.count("import") == 15
    assert second.lstrip().startswith("def f")


def test_a_heading_stays_with_its_text() -> None:
    source = "".join(f"## Part {i}\n\n{'word ' * 45}\n\n" for i in range(8))
    assert all(body.lstrip().startswith("## Part") for body in bodies(source, "markdown"))


def test_text_is_cut_at_blank_lines_first() -> None:
    paragraphs = [f"{'word ' * 40}\n{'word ' * 10}\n\n" for _ in range(8)]
    assert bodies("".join(paragraphs), "text")[1].lstrip("\n").startswith("word")
    assert all(body.strip().count("\n\n") == 0 for body in bodies("".join(paragraphs), "text"))


def test_a_whole_method_is_named_within_its_class() -> None:
    source = "class Store(Base):\n    pass\n\n" + "\n".join(function(f"m{i}", 8, "    ") for i in range(3))
    chunks = cut(source)
    (method,) = [c for c in chunks if c.defines == ("m1",)]
    assert (method.kind, method.name) == ("method", "m1")
    assert (method.scope, method.scope_signatures) == (("Store",), ("class Store(Base)",))


def test_every_part_of_a_cut_function_says_whose_part_it_is() -> None:
    chunks = cut("x = 1\n\n\n# about\n" + function("f", 40))
    parts = [c for c in chunks if c.scope == ("f",)]
    assert len(parts) >= 3
    assert all((c.kind, c.name, c.scope_signatures) == ("function", "f", ("def f(self)",)) for c in parts)
    assert [c.defines for c in parts[1:]] == [()] * (len(parts) - 1)


def test_several_methods_are_a_part_of_their_class() -> None:
    source = "class Store:\n" + "\n".join(function(f"m{i}", 2, "    ") for i in range(12))
    inner = cut(source)[1]
    assert (inner.kind, inner.name, inner.scope) == ("class", "Store", ("Store",))
    assert len(inner.defines) > 1


@pytest.mark.parametrize(
    ("source", "language", "kind", "name"),
    [
        ("def f(): pass\n", "python", "function", "f"),
        ("# only this\ndef f(): pass\n# and that\n", "python", "function", "f"),
        ("def f(): pass\ndef g(): pass\n", "python", "mixed", ""),
        ("x = 1\ndef f(): pass\n", "python", "mixed", ""),
        ("x = 1\n", "python", "block", ""),
        ("import a\n", "python", "import", ""),
        ("# note\n", "python", "comment", ""),
        ("import a\nx = 1\n", "python", "block", ""),
        ('"""Words."""\n', "python", "comment", ""),
        ('#!/bin/python\n"""Words."""\n\nimport a\n\n\ndef f(): pass\n', "python", "function", "f"),
        ("import a\n\n\ndef f(): pass\n\n\nf()\n", "python", "mixed", ""),
        ("import a\n'words'\ndef f(): pass\n", "python", "mixed", ""),
        (f'"""{"Words. " * 30}"""\nclass A: pass\n', "python", "class", "A"),
        ('"use client";\nimport a from "a";\n\nexport default function F() {}\n', "tsx", "function", "F"),
        ("package a;\n\nimport b.C;\n\npublic class A {}\n", "java", "class", "A"),
        ('package a\n\nimport "b"\n\nfunc F() {}\n', "go", "function", "F"),
        ("<?php\n\ndeclare(strict_types=1);\n\nuse A\\B;\n\nclass C {}\n", "php", "class", "C"),
        ("#include <a.h>\n\nint f(void) { return 1; }\n", "c", "function", "f"),
        ("// a\n#ifndef A_H\n#define A_H\n\nclass A { int a; };\n\n#endif  // A_H\n", "cpp", "class", "A"),
        ("#pragma once\n#ifndef A_H\r\n#  define A_H 1\r\nint f(void);\n#endif\n", "c", "function", "f"),
        ("require 'a'\nrequire_relative \"b\"\n\nclass B; end\n", "ruby", "class", "B"),
        ("require 'a'\nrun\n\nclass B; end\n", "ruby", "mixed", ""),
        (
            "'use strict';\n\nconst a = require('a');\nconst { b } = require('b').c;\n\nclass A {}\n",
            "javascript",
            "class",
            "A",
        ),
        ("const a = require('a')();\n\nclass A {}\n", "javascript", "mixed", ""),
        ("#nullable enable\nusing A;\n\n#region B\nclass B {}\n#endregion\n", "csharp", "class", "B"),
        ("#ifndef A_H\n#define B_H\nint f(void);\n#endif\n", "c", "mixed", ""),
        ("//! About.\n#![deny(warnings)]\n\nuse a::b;\n\nfn f() {}\n", "rust", "function", "f"),
        ("const F = () => { return 1 };\n\nexport default F;\n", "tsx", "function", "F"),
        ("function f() {}\n\nmodule.exports = f;\n// end\n", "javascript", "function", "f"),
        ("class A {}\n\nexport { A };\nexport type { B } from 'b';\n", "typescript", "class", "A"),
        ("class A {}\n\nA.b = 1;\nexport default A;\n", "javascript", "mixed", ""),
        ("export * from './a';\nexport { b } from './b';\n", "typescript", "import", ""),
        ("export default { a: 1 };\n", "javascript", "block", ""),
        ("words\n", "text", "text", ""),
        ("words\n", "markdown", "text", ""),
        ("# Title\n\nwords\n", "markdown", "section", "Title"),
        ('{"a": 1}\n', "json", "key", "a"),
        ("a: 1\nb: 2\n", "yaml", "mixed", ""),
        ("interface A { x: string }\n", "typescript", "interface", "A"),
    ],
)
def test_the_kind_says_what_a_chunk_is(source: str, language: str, kind: str, name: str) -> None:
    (only,) = cut(source, language)
    assert (only.kind, only.name, only.scope) == (kind, name, ())


def test_sections_are_scopes() -> None:
    source = "# Guide\n\n" + "word " * 50 + "\n\n## Install\n\n" + "word " * 50 + "\n\n### Linux\n\n" + "word " * 50
    assert [c.scope for c in cut(source, "markdown")] == [("Guide",), ("Guide", "Install"), ("Guide", "Install")]
    assert [c.name for c in cut(source, "markdown")] == ["Guide", "Install", "Linux"]


def test_ids_and_hashes_follow_from_the_content() -> None:
    source = "\n\n".join(function(f"f{i}", 6) for i in range(4))
    for c in cut(source):
        body = source.encode()[c.start : c.end]
        assert c.text_hash == text_hash(body)
        assert c.id == chunk_id(DOCUMENT.id, c.text_hash, 0)
        header = embedding_input(DOCUMENT.path, c.scope_signatures, c.defines, body.decode())
        assert c.embed_hash == embed_hash(header)


def test_equal_texts_are_told_apart_by_their_occurrence() -> None:
    chunks = cut(function("f", 8) * 3)
    hashes = [c.text_hash for c in chunks]
    assert len(set(hashes)) == 1
    assert [c.id for c in chunks] == [chunk_id(DOCUMENT.id, hashes[0], i) for i in range(3)]


@pytest.mark.parametrize(
    ("body", "count"), [(b"", 0), (b"a", 0), (b"a\n", 1), (b"a\r\nb", 1), (b"\r\r\n\n", 3), (b"\n\r", 2)]
)
def test_every_style_of_line_end_counts_once(body: bytes, count: int) -> None:
    assert count_newlines(body) == count


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_are_counted_from_one_and_inclusive(newline: str) -> None:
    source = "".join(f"value_{i} = {'x' * 60!r}{newline}" for i in range(20)) + "last"
    chunks = cut(source)
    assert chunks[0].start_line == 1
    assert chunks[-1].end_line == 21
    for before, after in pairwise(chunks):
        assert after.start_line == before.end_line + 1
        assert source.encode()[before.start : before.end].decode().count(newline) == (
            before.end_line - before.start_line + 1
        )


def module(functions: int = 60) -> str:
    """Return code as people write it: functions of very different lengths, now and then in a class."""
    rng = random.Random(3)
    parts = []
    for i in range(functions):
        is_method = i % 10 > 4
        if i % 10 == 5:
            parts.append(f'class Store{i}(Base):\n    """Hold what number {i} has."""\n')
        parts.append(function(f"step_{i}", rng.choice((1, 2, 3, 5, 8, 13, 21)), "    " * is_method))
    return "\n".join(parts)


def test_an_edit_in_one_function_mostly_changes_one_chunk() -> None:
    source = module()
    before = {c.id: c.embed_hash for c in cut(source)}
    lost, bought = [], []
    for header in re.finditer(r"( *)def step_\d+\(self\):\n", source):
        edited = f"{source[: header.end()]}{header[1]}    # an inserted line\n{source[header.end() :]}"
        after = {c.id: c.embed_hash for c in cut(edited)}
        lost.append(len(before.keys() - after.keys()))
        bought.append(len(set(after.values()) - set(before.values())))
    assert median(lost) == median(bought) == 1
    assert max(lost + bought) <= 4


def test_most_chunks_survive_edits_anywhere() -> None:
    lines = module().splitlines(keepends=True)
    statements = [i for i, line in enumerate(lines) if "value_0" in line]
    rng = random.Random(7)
    kept = []
    for i in rng.sample(statements, 8):
        indent = lines[i].partition("value")[0]
        edited = [*lines[:i], f"{indent}edited = one\n{indent}edited = two\n", *lines[i:]]
        before, after = ({c.id for c in cut("".join(s))} for s in (lines, edited))
        kept.append(len(before & after) / len(before))
    assert sum(kept) / len(kept) > 0.97


def test_a_function_that_just_fits_is_whole_though_its_indentation_does_not() -> None:
    body = function("m", 30, "    ")
    line = body.strip("\n").lstrip()
    budget = ChunkBudget(len(line), len(line))
    source = f"class A:\n    x = 1\n\n{body}\n    y = 2\n"
    assert any(line in piece for piece in bodies(source, budget=budget))


def test_a_function_that_fits_without_its_decorators_is_whole() -> None:
    decorators = "".join(f"@option('--name-{i}', help='what {i} is for')\n" for i in range(30))
    body = "def command(self):\n" + "".join(f"    value_{i} = compute({i})\n" for i in range(40))
    budget = ChunkBudget(1_200, 1_200)
    pieces = cut(decorators + body, budget=budget)
    assert any(body in piece for piece in bodies(decorators + body, budget=budget))
    assert {(c.kind, c.name) for c in pieces} == {("function", "command")}


def test_a_chunk_does_not_start_with_a_clause() -> None:
    branch = "".join(f"        call_{i}(value, {i})\n" for i in range(30))
    source = (
        "def f(value):\n    if value:\n"
        + branch
        + "".join(f"    elif value == {i}:\n{branch}" for i in range(6))
        + f"    else:\n{branch}"
    )
    starts = [piece.split(None, 1)[0] for piece in bodies(source, budget=ChunkBudget())]
    assert len(starts) >= 4
    assert not {"elif", "else:"}.intersection(starts)


def test_the_pieces_of_a_table_are_filled_and_find_back_after_an_edit() -> None:
    rows = [f"    'key_{i * 7919 % 1000}': {i},\n" for i in range(400)]
    table, edited = (f"table = {{\n{''.join(some)}}}\n" for some in (rows, [*rows[:40], "    'new': 0,\n", *rows[40:]]))
    pieces = bodies(table)
    assert sum(map(len, pieces)) / len(pieces) > 0.7 * SMALL.max_bytes
    assert len(set(pieces) - set(bodies(edited))) <= 4


def test_the_literals_of_go_are_tables_as_well() -> None:
    rows = [f'\t{{"key_{i * 7919 % 1000}", {i}}},\n' for i in range(400)]
    table, edited = (f"package a\n\nvar rows = []row{{\n{''.join(some)}}}\n" for some in (rows, rows[1:]))
    pieces = bodies(table, "go")
    assert sum(map(len, pieces)) / len(pieces) > 0.7 * SMALL.max_bytes
    assert len(set(pieces) - set(bodies(edited, "go"))) <= 3


def test_a_budget_shrinks_to_what_the_embedder_takes_with_the_largest_header() -> None:
    assert ChunkBudget().within(8_000) == ChunkBudget()
    small = ChunkBudget(packing=Packing.GREEDY).within(512)
    assert small == ChunkBudget(936, 936, Packing.GREEDY)
    assert ChunkBudget(2_000, 500).within(512) == ChunkBudget(936, 500)
    with pytest.raises(ValueError, match="16"):
        ChunkBudget().within(200)


def test_no_input_is_above_what_the_embedder_takes() -> None:
    budget = ChunkBudget().within(300)
    long = DocumentRef(UUID(int=1), "p" * 4_000, "python", 1, b"r")
    names = "".join(f"    def {'n' * 90}_{i}(self, {'argument, ' * 20}): pass\n" for i in range(20))
    text = f"class {'C' * 110}({'Base, ' * 50}):\n{names}".encode()
    chunks = chunk(long, text, parse(text, "python"), budget).chunks
    inputs = [embedding_input(long.path, c.scope_signatures, c.defines, text[c.start : c.end].decode()) for c in chunks]
    assert 280 < max(map(estimate_tokens, inputs)) <= 300


@pytest.mark.parametrize("macro", ["", "API "])
def test_what_members_of_cpp_are_for_others_stands_before_them(macro: str) -> None:
    """Behind an export macro, the grammar takes ``public:`` and the member for one statement."""
    members = [f"  // Counts {'them, ' * 12}once.\n  int count_{i}() const {{ return {i}; }}\n" for i in range(6)]
    source = f"class {macro}Counter {{\n" + "".join(f" public:\n{member}" for member in members) + "};\n"
    pieces = bodies(source, "cpp")
    assert "".join(pieces) == source
    assert len(pieces) > 2
    assert not any(piece.rstrip().endswith(":") for piece in pieces)


@pytest.mark.parametrize("packing", Packing)
def test_every_packing_tiles_the_text(packing: Packing) -> None:
    source = module()
    pieces = bodies(source, budget=ChunkBudget(300, 200, packing))
    assert "".join(pieces) == source
    assert max(map(len, pieces)) <= 300


def test_a_budget_must_make_sense() -> None:
    with pytest.raises(ValueError, match="target_bytes"):
        ChunkBudget(max_bytes=100, target_bytes=101)
    with pytest.raises(ValueError, match="16"):
        ChunkBudget(max_bytes=100, target_bytes=15)


def test_an_outline_of_another_text_is_refused() -> None:
    with pytest.raises(MalformedDocument, match="another text"):
        chunk(DOCUMENT, b"xy", parse(b"x", "text"), SMALL)


def test_text_that_is_not_utf8_is_refused() -> None:
    outline = Outline(1, "text", "utf-8", 1, False, ())
    with pytest.raises(MalformedDocument, match="UTF-8"):
        chunk(DOCUMENT, b"\xff", outline, SMALL)
