"""No input crashes, hangs or fills the memory of the process that parses it, whatever the grammar."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import thread_time

import pytest
from harness.hostile_sizes import HOLDERS

from pipeline.parse import facts, syntax
from pipeline.parse.facts_query import reference_patterns
from pipeline.parse.facts_tables import TABLES
from pipeline.parse.languages import LANGUAGES, grammar_of, language_of
from pipeline.parse.limits import MAX_GROWTH_BYTES, MAX_UNCLOSED, growth_allowed, is_too_much, leaves_open
from pipeline.parse.parser import MAX_PARSE_SECONDS, allowed_seconds, parse
from pipeline.parse.syntax import Patience, syntax_tree
from pipeline.parse.walk import MAX_DEPTH

TESTS = Path(__file__).parents[3]
SAMPLES = sorted((Path(__file__).parent / "golden").glob("*.sample"))
SIZE, MUTATIONS = "500", "30"
LARGE_SIZE = "12000"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, *command)
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=TESTS, timeout=150)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_process_survives_what_nobody_wrote(sample: Path) -> None:
    process = run("-m", "harness.hostile", sample.stem, str(sample), SIZE, MUTATIONS)
    last = process.stdout.splitlines()[-1:]
    assert (process.returncode, last) == (0, ["survived"]), process.stderr[-2_000:]


def test_a_process_that_dies_says_what_of() -> None:
    code = "import os, sys; from harness import hostile; hostile.parse = lambda data, language: os.abort();"
    process = run("-c", code + "hostile.main('python', sys.argv[1])", str(SAMPLES[0]))
    assert process.returncode < 0
    assert process.stdout.splitlines() == [repr("\t") + " again and again"]


def test_every_grammar_is_given_large_hostile_files() -> None:
    assert set(HOLDERS) >= {name for name in LANGUAGES if grammar_of(name) is not None}


@pytest.mark.parametrize("language", sorted(HOLDERS))
def test_a_large_hostile_file_takes_what_its_size_allows(language: str) -> None:
    process = run("-m", "harness.hostile_sizes", language, LARGE_SIZE)
    assert process.returncode == 0, process.stderr[-2_000:]
    for name, seconds_over, bytes_over, depth in map(json.loads, process.stdout.splitlines()):
        # What is behind the parse may go on for a while after it; nodes may be wrapped in a section or two.
        assert seconds_over < 1.0, name
        assert bytes_over < 0, name
        assert depth <= MAX_DEPTH + 2, name


@pytest.mark.parametrize("size", [3_000, 900_000], ids=["in one piece", "in several"])
@pytest.mark.parametrize("seconds", [60.0, -1.0], ids=["to the end", "given up"])
def test_a_parse_lets_go_of_the_text(size: int, seconds: float) -> None:
    # What the parser has been handed it keeps for ever: a worker would hold on to all the text it ever parsed.
    text = b"x = f(1)\n" * (size // 9)
    before = sys.getrefcount(text)
    tree = syntax_tree(text, language_of("python"), Patience(len(text), thread_time() + seconds))
    assert (tree is None) == (seconds < 0)
    assert sys.getrefcount(text) == before


def test_what_is_called_is_not_read_from_the_parser_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # For each command that might be `source` the tree would ask for the text, up to 64 kB of it.
    reads: list[int] = []
    read = syntax._Source.read

    def counted(source: syntax._Source, offset: int, point: syntax.tree_sitter.Point) -> memoryview | bytes:
        reads.append(offset)
        return read(source, offset, point)

    monkeypatch.setattr(syntax._Source, "read", counted)
    outline = parse(b'f() { source "a.sh"; echo "b"; }\n' * 2_000, "bash")
    assert outline.facts is not None
    assert len(outline.facts.imports) == facts.MAX_IMPORTS
    assert len(reads) < 10


def test_no_query_asks_a_tree_for_its_text() -> None:
    # By then the parser has given it back; in 0.26.1 of tree-sitter that is the end of the process.
    queries = [table.patterns for table in TABLES.values()]
    queries += [embedding.query for language in LANGUAGES.values() for embedding in language.embedded]
    queries += reference_patterns('((call name: (_) @name) @reference.call (#eq? @name "f"))')
    assert [query for query in queries if "(#" in query] == []


def test_a_slow_step_is_followed_by_a_look_at_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(syntax, "monotonic", lambda: now[0])
    patience = Patience(1_000_000, deadline=-1.0)
    assert not patience.report()
    now[0] += 1.0
    assert patience.report()
    assert patience.is_lost


@pytest.mark.parametrize(
    ("language", "data"),
    [
        ("python", b"def f():\n" + b"#b\n" * 300_000 + b" pass\n"),
        ("javascript", b"a" + b"/*b*/" * 200_000),
        ("html", b"<!-- a" * 150_000),
        ("rust", b'r#"' * 300_000),
        ("bash", b")(" * 100_000),
    ],
    ids=["comments", "comments in a line", "comments without end", "strings without end", "brackets"],
)
def test_steps_that_read_to_the_end_do_not_outlast_their_time(language: str, data: bytes) -> None:
    # A step takes some ms then, and a hundred were between two looks: 10 s were 40 s.
    start = thread_time()
    tree = syntax_tree(data, language_of(language), Patience(len(data), start + 0.5))
    assert tree is None
    assert thread_time() - start < 2.5


@pytest.mark.parametrize("language", ["rust", "java", "typescript", "cpp", "csharp"])
def test_definitions_ever_deeper_take_no_time_with_the_square_of_their_depth(language: str) -> None:
    opening, closing = (text.encode() for text in HOLDERS[language])
    # 20,000 of them took 20 s of processor time.
    start = thread_time()
    outline = parse(opening * 20_000 + closing * 20_000, language)
    assert max(node.depth for node in outline.nodes) == MAX_DEPTH
    assert thread_time() - start < 4.0


def test_a_query_has_only_so_many_patterns_half_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each operator waits for its right side. 900 of them at every node of a megabyte took 8 s.
    source = b"function f() { return " + b"a || " * 300 + b"a; }"

    def complexity() -> int:
        known = parse(source, "javascript").facts
        assert known is not None
        return known.definitions[0].complexity

    assert complexity() == 301
    monkeypatch.setattr(facts, "MAX_HALF_MATCHED_BYTES", 20 * len(source))
    assert complexity() < 301


@pytest.mark.parametrize("end", [b"", b"\n", b"\n" + b" " * 500_000, b"\n/*" + b" " * 500_000])
def test_the_guards_of_a_c_header_are_not_looked_for_far_away(end: bytes) -> None:
    # 250 kB took 7 s, before the parser was ever asked.
    start = thread_time()
    for pattern in language_of("cpp").unread:
        assert pattern.sub(b"", b"#if __cplusplus " * 30_000 + end)
    assert thread_time() - start < 2.0


def test_angles_that_no_statement_closes_are_not_parsed() -> None:
    # 80 kB took 2.6 GB, in one step.
    statement = b"<!-- a" * 1_100
    assert is_too_much(statement, language_of("cpp"))
    assert is_too_much(b"int a;" + statement + b"; int b;", language_of("cpp"))
    assert not is_too_much(b"std::cout << a << b;\n" * 5_000, language_of("cpp"))
    assert not is_too_much(statement, language_of("c"))


@pytest.mark.parametrize("language", ["rust", "java", "c"])
def test_brackets_that_are_never_closed_are_not_parsed(language: str) -> None:
    # 12 kB of it take 5 GB.
    outline = parse(b"%w(" * 20_000, language)
    assert (outline.nodes, outline.has_error) == ((), True)


@pytest.mark.parametrize("language", ["java", "csharp"])
def test_type_arguments_that_are_never_closed_are_not_parsed(language: str) -> None:
    assert (parse(b"A<" * 50_000, language).nodes, parse(b"A<" * 50_000, language).has_error) == ((), True)
    loops = b"class A { void f() {\n" + b"for (int i = 0; i < 9; i++) { g(() -> i >> 1); }\n" * 5_000 + b"} }\n"
    assert "A" in {
        node.name for node in parse(loops.replace(b"->", b"=>" if language == "csharp" else b"->"), language).nodes
    }


@pytest.mark.parametrize("pair", [b"()", b"[]", b"{}"])
def test_only_what_stays_open_counts(pair: bytes) -> None:
    opening, closing = pair[:1], pair[1:]
    assert leaves_open(opening * 11, pair, 10)
    assert leaves_open(closing * 50 + opening * 11 + closing * 6 + opening * 6, pair, 10)
    assert not leaves_open(opening * 10, pair, 10)
    assert not leaves_open(opening * 11 + closing, pair, 10)
    assert not leaves_open((opening + closing) * 50, pair, 10)
    assert not leaves_open(closing * 50, pair, 10)
    assert is_too_much(b"f" + opening * (MAX_UNCLOSED + 1), language_of("go"))
    assert not is_too_much(b"f" + opening * MAX_UNCLOSED, language_of("go"))


@pytest.mark.parametrize("earlier", [1, 200_000_000], ids=["a new peak", "below an earlier peak"])
def test_growth_is_seen_and_what_was_there_before_is_not_counted(earlier: int) -> None:
    code = f"""
from pipeline.parse.limits import CALLS_A_LOOK, Growth
earlier = bytes([1]) * {earlier}
del earlier
before = bytes([1]) * 80_000_000
growth = Growth(40_000_000)
print(any(growth.is_too_much() for _ in range(CALLS_A_LOOK)))
more = bytes([1]) * 80_000_000
print(any(growth.is_too_much() for _ in range(CALLS_A_LOOK)))
"""
    assert run("-c", code).stdout.split() == ["False", "True"]


def test_nul_bytes_do_not_reach_a_grammar() -> None:
    # UTF-16 may hold them. The grammar of Bash takes 1 GB and ten seconds for 50,000.
    outline = parse(("\ufeff" + "\0" * 50_000 + "\nf() {\n  true\n}\n").encode("utf-16-le"), "bash")
    assert [node.name for node in outline.nodes if node.name] == ["f"]


@pytest.mark.parametrize(
    "data", [b"&a " * 20_000, b"A<" * 20_000, b"{" * 60_000 + b"}" * 60_000], ids=["deep", "deep errors", "wide errors"]
)
def test_looking_for_facts_takes_no_time_that_grows_with_the_square(data: bytes) -> None:
    # Each took 6 to 16 s of processor time, and a megabyte of it hours; no callback interrupts a query.
    start = thread_time()
    parse(data, "ruby")
    assert thread_time() - start < 3.0


def test_a_hostile_megabyte_has_ten_seconds_and_half_a_gigabyte() -> None:
    assert allowed_seconds(1_000_000) == 10.0
    assert growth_allowed(1_000_000) < 512 * 1024 * 1024
    assert allowed_seconds(1_000) < 5.0
    assert growth_allowed(1_000) < 64 * 1024 * 1024
    assert (allowed_seconds(10**9), growth_allowed(10**9)) == (MAX_PARSE_SECONDS, MAX_GROWTH_BYTES)


def test_the_memory_of_a_parse_is_bound_by_the_size_of_the_text() -> None:
    # A tree of it would take 3,000 bytes a byte.
    code = "from resource import getrusage; from pipeline.parse.parser import parse; parse(b'int a;', 'cpp');"
    code += "before = getrusage(0).ru_maxrss; parse(b'A<' * 75_000, 'cpp'); print(getrusage(0).ru_maxrss - before)"
    (grown,) = run("-c", code).stdout.split()
    assert int(grown) * 1024 < 1.3 * growth_allowed(150_000)
