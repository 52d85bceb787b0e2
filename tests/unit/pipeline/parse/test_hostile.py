"""No input crashes, hangs or fills the memory of the process that parses it, whatever the grammar."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from time import thread_time

import pytest

from pipeline.parse.languages import language_of
from pipeline.parse.limits import MAX_GROWTH_BYTES, MAX_UNCLOSED, growth_allowed, is_too_much, leaves_open
from pipeline.parse.parser import MAX_PARSE_SECONDS, allowed_seconds, parse

TESTS = Path(__file__).parents[3]
SAMPLES = sorted((Path(__file__).parent / "golden").glob("*.sample"))
SIZE, MUTATIONS = "500", "30"


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
