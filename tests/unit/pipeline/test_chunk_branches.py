"""Where branches are cut: between their statements, in every language, however its grammar spells ``else``."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.parser import parse
from pipeline.types import DocumentRef

DOCUMENT = DocumentRef(UUID(int=1), "store", "text", 1, b"r")

#: A function that holds a statement, by language.
FUNCTIONS = {
    "c": "void f(int v)\n{{\n{}}}\n",
    "cpp": "void f(int v)\n{{\n{}}}\n",
    "csharp": "class A {{\n    void F(int v)\n    {{\n{}    }}\n}}\n",
    "go": "package a\n\nfunc f(v int) {{\n{}}}\n",
    "java": "class A {{\n    void f(int v) {{\n{}    }}\n}}\n",
    "javascript": "function f(v) {{\n{}}}\n",
    "php": "<?php\nfunction f($v)\n{{\n{}}}\n",
    "ruby": "def f(v)\n{}end\n",
    "rust": "fn f(v: i32) {{\n{}}}\n",
    "typescript": "function f(v: number) {{\n{}}}\n",
}
BARE = {"go", "rust"}
UNBRACED = sorted(FUNCTIONS.keys() - BARE - {"ruby", "php"})
BRACED = sorted(FUNCTIONS.keys() - {"ruby"})


def call(language: str, number: int) -> str:
    semicolon = "" if language in {"go", "ruby"} else ";"
    return f"call_{number}({number}, {'1234567890' * 4}){semicolon}"


def calls(language: str, first: int, count: int) -> str:
    return "".join(f"            {call(language, i)}\n" for i in range(first, first + count))


def condition(language: str, number: int) -> str:
    test = f"{'$v' if language == 'php' else 'v'} == {number}"
    return test if language in BARE else f"({test})"


def starts(language: str, statement: str) -> list[str]:
    """Return the first word of every chunk behind the first one."""
    text = FUNCTIONS[language].format(statement).encode()
    outline = parse(text, language)
    assert not outline.has_error
    chunks = chunk(DOCUMENT, text, outline, ChunkBudget(1_000, 1_000)).chunks
    return [text[c.start : c.end].decode().split(None, 1)[0].partition("(")[0].rstrip("0123456789") for c in chunks[1:]]


@pytest.mark.parametrize("language", BRACED)
def test_an_else_is_cut_between_its_statements(language: str) -> None:
    lengths = (8, 14, 3, 16, 5, 12, 20)
    branches = [
        f"if {condition(language, i)} {{\n{calls(language, i * 100, n)}        }}" for i, n in enumerate(lengths)
    ]
    chain = f"        {' else '.join(branches)} else {{\n{calls(language, 900, 15)}        }}\n"
    found = starts(language, chain)
    assert len(found) >= 4
    assert set(found) == {"call_"}


@pytest.mark.parametrize("language", UNBRACED)
def test_a_condition_stays_with_the_statement_that_needs_no_braces(language: str) -> None:
    branches = [f"if {condition(language, i)}\n            {call(language, i)}\n" for i in range(60)]
    found = starts(language, f"        {'        else '.join(branches)}")
    assert len(found) >= 4
    assert set(found) == {"else"}  # between two branches there is no better place


def test_branches_without_braces_or_brackets_are_cut_between_their_statements() -> None:
    branches = "".join(f"        elsif v == {i}\n{calls('ruby', i * 100, 4 + i * 3)}" for i in range(1, 7))
    found = starts(
        "ruby", f"        if v == 0\n{calls('ruby', 0, 9)}{branches}        else\n{calls('ruby', 900, 15)}end\n"
    )
    assert len(found) >= 4
    assert set(found) == {"call_"}


@pytest.mark.parametrize("language", sorted(FUNCTIONS.keys() - {"ruby", "rust", "go"}))
def test_a_case_is_cut_between_its_statements(language: str) -> None:
    value = "$v" if language == "php" else "v"
    cases = "".join(
        f"        case {i}:\n{calls(language, i * 100, n)}            break;\n" for i, n in enumerate((30, 9, 40))
    )
    found = starts(language, f"        switch ({value}) {{\n{cases}        }}\n")
    assert len(found) >= 5
    assert set(found) <= {"call_", "case", "break;"}


@pytest.mark.parametrize("language", ["c", "cpp", "csharp", "java", "javascript", "php", "typescript"])
def test_a_chunk_does_not_start_with_the_bracket_of_what_goes_on(language: str) -> None:
    name = "$v" if language == "php" else "v"
    loops = "".join(
        f"        do {{\n{calls(language, i * 100, 9 + i)}        }} while ({name} < {i});\n" for i in range(8)
    )
    assert not {start for start in starts(language, loops) if start[0] in ")]}"}
