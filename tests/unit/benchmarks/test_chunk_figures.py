"""The figures of chunks see every defect that they are there to see, whoever made the chunks."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
from tree_sitter import Parser

from benchmarks.chunk_edits import MIN_BYTES, Edits, edits_per_file
from benchmarks.chunk_figures import Tally
from benchmarks.chunk_sources import Source, by_language, made_sources, sampled, written_sources
from benchmarks.chunk_truth import truth_of
from pipeline.parse.languages import grammar_of
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


@pytest.mark.parametrize(("cap", "is_fault"), [(62, True), (61, False), (48, True), (13, True), (12, False)])
def test_a_lead_that_cannot_stay_with_its_whole_definition_is_told_apart(cap: int, *, is_fault: bool) -> None:
    """The lead has 13 bytes, the function 49: both fit, then one of them, only the lead, not even that."""
    found = figures(chunks_at(at(b"def f")), cap=cap)
    assert (found["torn"], found["torn_unforced"]) == (1, is_fault)


def test_annotations_are_led_by_the_comment_before_them() -> None:
    text = b"/** Doc. */\n@A\npublic class B {\n  int c;\n}\n"
    (lead,) = truth_of(text, "java").leads
    assert (lead.start, text[lead.code : lead.end]) == (0, b"public class B {\n  int c;\n}")


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


def test_files_that_need_no_cut_are_told_apart_from_badly_filled_chunks() -> None:
    tally = Tally()
    tally.add("a.py", CODE, chunks_at(), truth_of(CODE, "python"), 1_000)
    tally.add("b.py", CODE, chunks_at(40), truth_of(CODE, "python"), 50)
    found = tally.figures()
    assert found["mean_fill_of_cut_files"] == pytest.approx(len(CODE) / 100, abs=1e-4)
    assert found["mean_fill"] == pytest.approx((len(CODE) / 1_000 + len(CODE) / 50) / 3, abs=1e-4)
    assert found["p10_fill"] < found["p10_fill_of_cut_files"]


def test_an_edit_counts_the_other_chunks_only() -> None:
    text = b"\n\n".join(b"def f%d(x):\n    return x + %d\n" % (i, i) for i in range(500))
    assert len(text) > MIN_BYTES
    source, truth = Source("a.py", "python", text), truth_of(text, "python")
    kept, lost = Edits(), Edits()
    kept.add(source, truth, lambda some: chunks_at(size=len(some)))
    assert kept.figures() == {}  # the only chunk is the edited one
    lost.add(source, truth, lambda some: chunks_at(*range(50, len(some), 50)), 3)
    assert lost.figures()["edits"] == 3
    assert lost.figures()["stability_mean"] < 1


def test_no_edit_is_a_syntax_error() -> None:
    fields = b"\ntype s struct {\n" + b"".join(b"\ta%d int\n" % i for i in range(100)) + b"}\n"
    text = b"package a\n\nfunc f() {\n" + fields * 14 + b"\tb()\n" * 700 + b"}\n"
    assert len(text) > MIN_BYTES
    edited: list[bytes] = []

    def cut(some: bytes) -> list[Chunk]:
        edited.append(some)
        return chunks_at(*range(50, len(some), 50), size=len(some))

    Edits().add(Source("a.go", "go", text), truth_of(text, "go"), cut, 8)
    grammar = grammar_of("go")
    assert grammar is not None
    assert len(edited) > 5
    assert not any(Parser(grammar).parse(some).root_node.has_error for some in edited)


@pytest.mark.parametrize(("files", "times"), [(500, 1), (200, 1), (60, 4), (3, 8)])
def test_few_files_are_edited_more_often(files: int, times: int) -> None:
    small, large = Source("a.py", "python", b"a"), Source("b.py", "python", bytes(MIN_BYTES))
    assert edits_per_file([*[large] * files, small]) == times


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


def test_tests_can_be_left_out_and_a_sample_be_taken(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.py", "tests/test_a.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")
    assert len(written_sources(tmp_path)) == 4
    found = written_sources(tmp_path, with_tests=False)
    assert {source.path for source in found} == {"a.py", "b.py", "c.py"}
    sample = sampled(found, 13)
    assert len(sample) == 2
    assert sampled(found[::-1], 13) == sample
