"""A chunk knows the definition that it is, or is a part of, so that a search can show all of it."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.parser import parse
from pipeline.types import Chunk, DocumentRef

DOCUMENT = DocumentRef(UUID(int=1), "a.py", "python", 1, b"r")
SMALL = ChunkBudget(300, 300)


def cut(source: str, language: str = "python") -> list[Chunk]:
    text = source.encode()
    return list(chunk(DOCUMENT, text, parse(text, language), SMALL).chunks)


def parent(source: str, piece: Chunk) -> str:
    return source.encode()[piece.parent_start : piece.parent_end].decode()


def function(name: str, lines: int, indent: str = "") -> str:
    body = "".join(f"{indent}    value_{i} = compute({i})\n" for i in range(lines))
    return f"{indent}def {name}(self):\n{body}"


def test_all_parts_of_a_function_share_one_parent_its_comment_is_outside_of() -> None:
    whole = function("f", 40).rstrip()
    source = f"x = 1\n\n\n# about\n{whole}\n\n\n"
    parts = [piece for piece in cut(source) if piece.name == "f"]
    assert len(parts) >= 3
    assert {parent(source, piece) for piece in parts} == {whole}


def test_a_definition_that_is_a_chunk_is_its_own_parent_with_its_decorators() -> None:
    whole = "@decorate\n" + function("f", 8).rstrip()
    source = f"# about\n{whole}\n\n\n{function('g', 9)}"
    first = cut(source)[0]
    assert (first.name, parent(source, first)) == ("f", whole)


def test_a_whole_method_is_its_own_parent_and_several_have_their_class() -> None:
    methods = "\n".join(function(f"m{i}", 2, "    ") for i in range(12))
    source = f"class Store:\n{methods}\nclass Other:\n{function('big', 9, '    ')}\n{function('more', 9, '    ')}"
    pieces = cut(source)
    several = pieces[1]
    assert (several.name, parent(source, several)) == ("Store", source[: source.index("\nclass Other")].rstrip())
    (method,) = [piece for piece in pieces if piece.defines == ("more",)]
    assert parent(source, method).startswith("def more(")


@pytest.mark.parametrize(
    ("source", "language"),
    [
        (function("f", 2) + function("g", 2), "python"),
        ("x = 1\n" * 100, "python"),
        ("word " * 300, "text"),
        ("import a\n", "python"),
    ],
)
def test_a_chunk_without_a_definition_around_it_is_its_own_parent(source: str, language: str) -> None:
    for piece in cut(source, language):
        assert (piece.parent_start, piece.parent_end) == (piece.start, piece.end)


def test_a_part_of_a_section_has_the_section_as_parent() -> None:
    second = "## Install\n\n" + "word " * 50 + "\n\n" + "more " * 60
    source = "# Guide\n\nshort\n\n" + second
    assert parent(source, cut(source, "markdown")[-1]) == second
