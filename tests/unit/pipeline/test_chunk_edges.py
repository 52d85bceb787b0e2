"""Odd and hostile files: always tiled exactly, within the budget, the same way every time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk, count_newlines
from pipeline.chunk_codec import pack_chunks, unpack_chunks
from pipeline.outline_codec import pack_outline, unpack_outline
from pipeline.parse.decode import text_of
from pipeline.parse.languages import MAX_PARSED_BYTES, detect_language
from pipeline.parse.parser import parse
from pipeline.types import Chunk, DocumentRef

DOCUMENT = DocumentRef(UUID(int=1), "odd.py", "python", 1, b"r")
GOOD = "".join(f"def f{i}(a):\n    b = a + {i}\n    return b\n\n\n" for i in range(60))
STATEMENTS = "".join(f"value_{i} = compute({i}, {'x' * (i % 40)!r})\n" for i in range(200))
MINIFIED = 'function f(a,b){return a+b*{x:[1,2,3]}[a]};var q="s";' * 20_000

EDGES: dict[str, tuple[str, bytes]] = {
    "syntax error at the head": ("python", ("def (((:\n" + GOOD).encode()),
    "syntax error in the middle": ("python", (GOOD + "def (((:\n" + GOOD).encode()),
    "syntax error at the tail": ("python", (GOOD + "class X(").encode()),
    "not code": ("python", b"Lorem ipsum, dolor; sit (amet] \n" * 300),
    "unclosed string": ("python", (GOOD + 'x = """open\n' + GOOD).encode()),
    "unclosed bracket": ("javascript", (STATEMENTS + "call([{\n" + STATEMENTS).encode()),
    "docstring of 14 kB": (
        "python",
        ('def f():\n    """' + "Some words here.\n    " * 700 + '"""\n    return 1\n').encode(),
    ),
    "string with escapes": ("python", ('x = "' + "\\n\\t\\x00" * 1_000 + '"\n').encode()),
    "template with escapes": ("javascript", ("x = `" + "\\n${a}\\u0041" * 1_000 + "`;\n").encode()),
    "continued lines": ("python", ("x = " + " + \\\n    ".join(f"name_{i}" for i in range(2_000)) + "\n").encode()),
    "list of 20k elements": ("python", ("x = [\n" + "".join(f"    {i},\n" for i in range(20_000)) + "]\n").encode()),
    "list on one line": ("python", ("x = [" + ", ".join(str(i) for i in range(20_000)) + "]\n").encode()),
    "1 MB of minified code": ("javascript", MINIFIED.encode()),
    "1 MB of another language": ("python", MINIFIED.encode()),
    "1 MB without a space": ("text", b"x" * 1_000_000),
    "3000 deep brackets": ("python", ("x = " + "[" * 3_000 + "]" * 3_000 + "\n").encode()),
    "3000 deep json": ("json", b"[" * 3_000 + b"]" * 3_000),
    "900 deep blocks": ("python", ("".join(f"{' ' * i}if x:\n" for i in range(900)) + " " * 900 + "pass\n").encode()),
    "deep functions": ("javascript", ("function a(){" * 3_000 + "}" * 3_000).encode()),
    "deep yaml": ("yaml", "".join(f"{' ' * i}a:\n" for i in range(300)).encode()),
    "crlf": ("python", GOOD.replace("\n", "\r\n").encode()),
    "lone cr": ("python", GOOD.replace("\n", "\r").encode()),
    "mixed line ends": ("python", (GOOD + GOOD.replace("\n", "\r\n") + STATEMENTS.replace("\n", "\r")).encode()),
    "crlf in text": ("text", ("line of text\r\n" * 2_000).encode()),
    "only line ends": ("python", b"\r\n\r\n\r\r\n\n" * 1_000),
    "byte order mark": ("python", b"\xef\xbb\xbf" + GOOD.encode()),
    "tabs": ("python", GOOD.replace("    ", "\t").encode()),
    "form feeds": ("python", GOOD.replace("\n\n\n", "\n\x0c\n\n").encode()),
    "no final newline": ("python", GOOD.rstrip().encode()),
    "empty": ("python", b""),
    "white space only": ("python", b" \n\t\n" * 1_000),
    "emoji": ("text", ("👩‍👩‍👧" * 3_000).encode()),
    "combining characters": ("python", ("x = '" + "e\u0301\u0327" * 3_000 + "'\n").encode()),
    "utf-16": ("python", ("\ufeff" + GOOD).encode("utf-16-le")),
    "utf-16 with nul": ("markdown", ("\ufeff# a\0b\n\n" + "wo\0rd " * 2_000).encode("utf-16-be")),
    "latin-1": ("python", ("x = 'é'\n" * 1_000).encode("latin-1")),
    "cp1252": ("python", ("# coding: cp1252\n" + "x = '\u201cé\u201d'\n" * 1_000).encode("cp1252")),
    "invalid utf-8": ("python", b"x = '\xc3\x28 \xff \xe2\x82'\n" * 500),
    "generics in ts": ("typescript", ("const a = <any>b;\n" * 500).encode()),
    "generics in tsx": ("tsx", ("const a = <any>b;\n" * 500).encode()),
    "jsx": ("tsx", ("const a = <ul>{xs.map((x) => <li>{x}</li>)}</ul>;\n" * 300).encode()),
    "one json object a line": ("json", b'{"a": [1, 2], "b": {"c": null}}\n' * 2_000),
    "headings only": ("markdown", b"# h\n" * 3_000),
    "long table": ("markdown", b"| a | b |\n|---|---|\n" + b"| 1 | 2 |\n" * 2_000),
    "long fence": ("markdown", b"```\n" + b"code code code\n" * 1_000 + b"```\n"),
    "shebang without extension": (
        detect_language("bin/run", b"#!/usr/bin/env python\n"),
        b"#!/usr/bin/env python\n" * 300,
    ),
}
#: Two sizes: the default, and one below what parsing looks into.
BUDGETS = (ChunkBudget(), ChunkBudget(64, 40))


def chunked(language: str, data: bytes, budget: ChunkBudget) -> tuple[bytes, tuple[Chunk, ...]]:
    """Chunk the way the stages do it: with outline and chunks packed in between."""
    outline = unpack_outline(pack_outline(parse(data, language)))
    text = text_of(data, outline.encoding)
    chunk_set = chunk(DOCUMENT, text, outline, budget)
    return text, unpack_chunks(DOCUMENT, pack_chunks(chunk_set)).chunks


def assert_lines(text: bytes, chunks: tuple[Chunk, ...]) -> None:
    for before, after in pairwise(chunks):
        ended = text[before.end - 1] in b"\r\n"
        assert after.start_line == before.end_line + ended
    if chunks:
        assert chunks[0].start_line == 1
        assert chunks[-1].end_line == count_newlines(text) + (text[-1] not in b"\r\n")


@pytest.mark.parametrize("budget", BUDGETS, ids=["default", "tiny"])
@pytest.mark.parametrize("name", EDGES)
def test_every_byte_is_in_exactly_one_chunk(name: str, budget: ChunkBudget) -> None:
    language, data = EDGES[name]
    if budget is not BUDGETS[0]:
        data = data[:50_000]
    text, chunks = chunked(language, data, budget)
    assert [c.start for c in chunks[:1]] == [0] * bool(text)
    assert all(before.end == after.start for before, after in pairwise(chunks))
    assert (chunks[-1].end if chunks else 0) == len(text)
    assert b"".join(text[c.start : c.end] for c in chunks) == text
    assert all(0 < c.end - c.start <= budget.max_bytes for c in chunks)
    for c in chunks:
        text[c.start : c.end].decode()
        assert text[c.end - 1 : c.end + 1] != b"\r\n"
    assert_lines(text, chunks)
    assert len({c.id for c in chunks}) == len(chunks)
    assert not any("\0" in word for c in chunks for word in (c.name, *c.scope, *c.scope_signatures, *c.defines))


def test_what_no_edge_touches_stays_whole() -> None:
    text, chunks = chunked(*EDGES["syntax error in the middle"], BUDGETS[0])
    whole = [text[c.start : c.end].strip() for c in chunks]
    assert sum(body.startswith(b"def f") and body.endswith(b"return b") for body in whole) >= len(whole) - 3


def test_a_lone_cr_file_has_the_outline_of_its_newline_twin() -> None:
    assert parse(EDGES["lone cr"][1], "python").nodes == parse(GOOD.encode(), "python").nodes


@pytest.mark.parametrize(("language", "copies"), [("python", 1_300), ("text", 1_300)])
def test_files_of_many_megabytes_are_chunked_in_linear_time(language: str, copies: int) -> None:
    # More than is parsed at once, of code and of text; a quadratic step anywhere would run into the suite's time limit.
    text, chunks = chunked(language, (GOOD * copies).encode(), BUDGETS[0])
    assert len(text) > MAX_PARSED_BYTES
    assert chunks[-1].end == len(text)
    assert len(chunks) < len(text) / 800
    if language == "python":
        assert sum(len(c.defines) for c in chunks) == 60 * copies


def fingerprint() -> str:
    """Return one hash over all chunks of all edges that are cheap enough to do twice."""
    digest = hashlib.sha256()
    for name in sorted(EDGES):
        language, data = EDGES[name]
        for c in chunked(language, data[:40_000], BUDGETS[0])[1]:
            digest.update(repr(c).encode("utf-8", "replace"))
    return digest.hexdigest()


def test_other_processes_cut_the_same_chunks() -> None:
    code = (
        "import importlib.util as u, sys; s = u.spec_from_file_location('edges', sys.argv[1]);"
        "m = u.module_from_spec(s); s.loader.exec_module(m); print(m.fingerprint())"
    )
    root = str(Path(__file__).parents[3])
    expected = fingerprint()
    for seed in ("1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root}
        result = subprocess.run(
            [sys.executable, "-c", code, __file__],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert result.stdout.strip() == expected
