"""The figures of chunks see every defect that they are there to see, whoever made the chunks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.chunk_edits import MIN_BYTES, Edits
from benchmarks.chunk_figures import Tally
from benchmarks.chunk_sources import by_language, made_sources, written_sources
from benchmarks.chunk_truth import truth_of
from pipeline.types import Chunk

CODE = b"""import a

# about f
@d
def f(x):
    if x:
        return 1
    return 2

y = 3
"""


def chunks_at(*cuts: int, size: int = len(CODE)) -> list[Chunk]:
    return [
        Chunk(UUID(int=i), i, start, end, 1, 1, "block", "", (), (), (), b"", bytes([i % 256]), start, end)
        for i, (start, end) in enumerate(pairwise([0, *cuts, size]))
    ]


def figures(chunks: list[Chunk], cap: int = 200, text: bytes = CODE) -> dict[str, float]:
    tally = Tally()
    tally.add("a.py", text, chunks, truth_of(text, "python"), cap)
    return dict(tally.figures())


def at(words: bytes) -> int:
    return CODE.index(words)


def test_good_cuts_have_no_defect() -> None:
    found = figures(chunks_at(at(b"# about"), at(b"y =")))
    assert (found["lossless_files"], found["bytes_in_one_chunk"], found["statement_ends"]) == (1, 1, 1)
    assert (found["fitting_functions_whole"], found["unforced_cuts"], found["torn"], found["over_cap"]) == (1, 0, 0, 0)


def test_lost_and_doubled_bytes_are_seen() -> None:
    first, second = chunks_at(at(b"# about"))
    assert figures([first])["lossless_files"] == 0
    assert figures([first, first, second])["bytes_in_one_chunk"] < 1


def test_a_cut_inside_a_function_is_seen() -> None:
    found = figures(chunks_at(at(b"    return 2")))
    assert (found["unforced_cuts"], found["fitting_functions_whole"]) == (1, 0)
    assert found["statement_ends"] == 1


def test_a_cut_that_the_limit_forces_is_no_fault() -> None:
    found = figures(chunks_at(at(b"    return 2")), cap=20)
    assert (found["unforced_cuts"], found["fitting_functions_whole"]) == (0, 1)
    assert found["over_cap"] == 1


@pytest.mark.parametrize("before", [b"@d", b"def f"])
def test_what_is_torn_from_its_definition_is_seen(before: bytes) -> None:
    assert figures(chunks_at(at(before)))["torn"] == 1


def test_a_cut_inside_a_statement_is_no_statement_end() -> None:
    assert figures(chunks_at(at(b"= 3")))["statement_ends"] == 0


def test_what_no_cut_could_end_with_a_statement_is_told_apart() -> None:
    table = b"table = {\n" + b"".join(b"    %d: 'some value',\n" % i for i in range(100)) + b"}\n"
    found = figures(chunks_at(500, 1_000, 1_500, size=len(table)), cap=1_000, text=table)
    assert found["statement_ends"] == 0
    assert found["achievable_statement_ends"] == 0.25  # three chunks would do
    assert figures(chunks_at(at(b"# about"), at(b"y =")))["achievable_statement_ends"] == 1


@pytest.mark.parametrize(
    ("language", "text", "start"),
    [
        ("javascript", "switch (a) { case 1: b(); }", "case 1"),
        ("typescript", "switch (a) {\n// note\ncase 1: b(); }", "// note"),
        ("javascript", "x = { m() { return 1 } }", "m()"),
        ("go", "package a\nfunc f() { switch x { case 1: b() } }", "case 1"),
        ("go", "package a\ntype (\nA int\nB int\n)", "B int"),
        ("rust", "fn f() { match x { 1 => 2, _ => 3 } }", "_ =>"),
        ("java", "enum A { X, Y }", "Y"),
        ("java", "class A { void f() { switch (x) { case 1: b(); c(); } } }", "c()"),
        ("c", "void f() { switch (x) { case 1: b(); c(); } }", "c()"),
        ("cpp", "x y z {\n#include <a.h>\nvoid f() { }\n", "#include"),
        ("csharp", "class A {\n#if X\nint a;\nint b;\n#endif\n}", "int b"),
        ("ruby", "if a\n  b\n  c\nend", "c\n"),
        ("php", "<?php switch ($a) { case 1: b(); c(); }", "c()"),
    ],
)
def test_members_and_branches_are_statements(language: str, text: str, start: str) -> None:
    assert text.index(start) in truth_of(text.encode(), language).starts


@pytest.mark.parametrize(("language", "text"), [("rust", "/// note\nfn f() {}\n"), ("c", "#include <a.h>\nint b;\n")])
def test_a_line_end_is_no_part_of_a_statement(language: str, text: str) -> None:
    assert text.index("\n") in truth_of(text.encode(), language).ends


def test_tiny_chunks_and_fill_are_counted_against_the_limit() -> None:
    found = figures(chunks_at(9), cap=100)
    assert found["tiny"] == 0.5
    assert found["mean_fill"] == pytest.approx(len(CODE) / 200, abs=1e-4)


def test_an_edit_counts_the_other_chunks_only() -> None:
    text = b"\n\n".join(b"def f%d(x):\n    return x + %d\n" % (i, i) for i in range(500))
    assert len(text) > MIN_BYTES
    kept, lost = Edits(), Edits()
    kept.add("a.py", text, truth_of(text, "python"), "python", lambda some: chunks_at(size=len(some)))
    assert kept.figures() == {}  # the only chunk is the edited one
    lost.add("a.py", text, truth_of(text, "python"), "python", lambda some: chunks_at(*range(50, len(some), 50)))
    assert lost.figures()["stability_mean"] < 1


def test_made_sources_parse_and_are_the_same_every_time() -> None:
    first, second = made_sources(), made_sources()
    assert first == second
    for source in first:
        assert len(truth_of(source.text, source.language).functions) >= 60


def test_a_directory_is_measured_by_language_and_only_what_a_person_wrote(tmp_path: Path) -> None:
    for name in ("a.rb", "src/b.go", "src/c.php", "d.cs", "e.min.js", "node_modules/f.js", "g.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    found = by_language(written_sources(tmp_path))
    assert {language: [source.path for source in sources] for language, sources in found.items()} == {
        "ruby": ["a.rb"],
        "csharp": ["d.cs"],
        "go": ["src/b.go"],
        "php": ["src/c.php"],
    }
