"""What fits into a chunk is in one, wherever it stands: below the preprocessor, in a broken file, behind a name."""

from __future__ import annotations

import pytest

from pipeline.chunk import ChunkBudget, chunk_ends
from pipeline.parse.parser import parse

LIMIT = 2_000


def lines(count: int, indent: str = "  ") -> str:
    return "".join(f"{indent}count({i}, value);\n" for i in range(count))


def chunks_of(text: str, language: str) -> list[str]:
    data = text.encode()
    ends = chunk_ends(data, parse(data, language), ChunkBudget(LIMIT, LIMIT))
    return [data[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


def function(name: str, size: int = 40) -> str:
    return f"static int {name}(int value) {{\n{lines(size)}  return 0;\n}}\n\n"


BRANCH = f"#ifdef WITH_IT\n{function('with_it', 50)}#else\n#define with_it(value) 0\n#endif"
BARE = f"{{\n{lines(80, '    ')}  }}"


@pytest.mark.parametrize(
    ("whole", "text"),
    [
        pytest.param(BRANCH, function("first", 70) + BRANCH + "\n" + function("last", 70), id="preprocessor"),
        pytest.param(BARE, f"int f(int value) {{\n{lines(70)}  {BARE}\n{lines(70)}}}\n", id="block of its own"),
        pytest.param(
            BARE, f"int f(int value) {{\n{{\n{lines(70)}  {BARE}\n{lines(70)}}}\n}}\n", id="block in such a block"
        ),
    ],
)
def test_what_fits_is_whole_in_c(whole: str, text: str) -> None:
    assert len(whole) <= LIMIT < len(text)
    assert any(whole in body for body in chunks_of(text, "c"))


@pytest.mark.parametrize("opening", ["{ if (value) {\n", "f(a,\n#if B\n g {\n", "class A { public: A() : b(1) {\n"])
def test_functions_are_whole_in_a_file_that_is_one_error(opening: str) -> None:
    functions = [function(f"f{i}", 30 + 7 * (i % 5)).replace("  count(9,", "\nagain:\n  count(9,") for i in range(12)]
    text = opening + "".join(functions)
    assert parse(text.encode(), "c").has_error
    bodies = chunks_of(text, "c")
    assert [any(code.rstrip() in body for body in bodies) for code in functions] == [True] * len(functions)


def test_what_is_no_code_at_all_goes_by_lines() -> None:
    prose = "It was the best of times, it was the worst of times; no grammar knows why.\n" * 40
    assert parse(prose.encode(), "c").nodes == ()


@pytest.mark.parametrize(
    ("language", "head", "call", "tail"),
    [
        ("javascript", "async (value) => {\n", "  count(value)\n", "}"),
        ("typescript", "class Counter {\n", "  value = count(1)\n", "}"),
    ],
)
def test_a_value_that_fits_is_whole_where_its_declaration_does_not(
    language: str, head: str, call: str, tail: str
) -> None:
    value = head + call * ((LIMIT - len(head)) // len(call)) + tail
    before = "export default " if value.startswith("class") else "export const counter_of_all_values = "
    assert len(value) <= LIMIT < len(before + value)
    assert any(value in body for body in chunks_of(before + value + "\n", language))


def test_a_small_function_is_whole_below_decorators_that_are_large() -> None:
    small = "def call(value):\n" + lines(14, "    ").replace(";", "") + "\n    return value\n"
    text = "".join(f"@option('--number-{i}', help='{'much said ' * 6}')\n" for i in range(19)) + small
    assert len(small) < 512 < LIMIT < len(text)
    assert any(small in body for body in chunks_of(text, "python"))
