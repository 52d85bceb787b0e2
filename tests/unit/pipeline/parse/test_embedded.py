"""Code inside documents is outlined in its own language, where it stands, and can never harm the document."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent
from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.embedded import MAX_PIECES
from pipeline.parse.parser import parse
from pipeline.types import DocumentRef, Outline, OutlineNode

PYTHON = "def load(path):\n    return path\n"


def outlined(source: str, language: str = "markdown") -> Outline:
    return parse(dedent(source).lstrip("\n").encode(), language)


def code(outline: Outline) -> list[OutlineNode]:
    return [node for node in outline.nodes if node.language]


def named(outline: Outline) -> list[tuple[str, str, str]]:
    return [(node.language, node.kind, node.name) for node in code(outline) if node.name]


@pytest.mark.parametrize(
    "info",
    ["python", "py", "Python3", "python title='a b'", "{.python .numbers}", "{python}", "py{1,3}", "python,ignore"],
)
def test_a_fence_says_its_language_in_many_ways(info: str) -> None:
    assert named(outlined(f"# t\n\n```{info}\n{PYTHON}```\n")) == [("python", "function", "load")]


@pytest.mark.parametrize("info", ["", "console", "made-up", "text", "{}", "*", "é"])
def test_a_fence_in_no_known_language_stays_text(info: str) -> None:
    assert code(outlined(f"# t\n\n```{info}\n{PYTHON}```\n")) == []


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("<script>", "javascript"),
        ('<script async src="a.js">', "javascript"),
        ('<script type="module">', "javascript"),
        ("<script type=text/javascript>", "javascript"),
        ("<script TYPE='application/ld+json'>", "json"),
        ('<script type="importmap">', "json"),
        ('<script lang="ts">', "typescript"),
        ('<script type="text/plain" lang="tsx">', "tsx"),
        ('<script type="text/x-python">', "python"),
        ('<script type="text/x-template">', ""),
        ('<script type="x-shader/x-vertex">', ""),
        ('<script type="">', "javascript"),
    ],
)
def test_a_script_is_in_the_language_of_its_tag(tag: str, language: str) -> None:
    outline = outlined(f"<p>a</p>\n{tag}\n[1]\n</script>\n", "html")
    assert {node.language for node in code(outline)} == ({language} if language else set())


def test_a_style_is_css_unless_it_says_otherwise() -> None:
    rules = "\n@media print { a { b: c } }\n"
    assert named(outlined(f"<style>{rules}</style>", "vue")) == [("css", "rule", "@media print")]
    assert code(outlined(f'<style lang="stylus">{rules}</style>', "vue")) == []


def test_offsets_are_those_of_the_whole_text() -> None:
    text = f"# é\n\nintro 👩\n\n```py\n{PYTHON}```\n\n> - ```py\n>   def quoted():\n>       pass\n>   ```\n".encode()
    found = {node.name: text[node.start : node.end] for node in code(parse(text, "markdown"))}
    assert found["load"] == PYTHON.strip().encode()
    assert found["quoted"] == b"def quoted():\n>       pass"


def test_a_piece_is_below_the_block_that_it_is_in() -> None:
    outline = outlined(f"# A\n\n## B\n\ntext\n\n```py\n{PYTHON}```\n\nmore\n")
    shape = [(node.depth, node.kind) for node in outline.nodes]
    around = [(0, "section"), (1, "heading"), (1, "section"), (2, "heading"), (2, "text"), (2, "text")]
    assert shape == [*around, (3, "code"), (4, "function"), (2, "text")]


def test_pieces_do_not_leak_into_each_other() -> None:
    outline = outlined(
        f'# t\n\n```py\nx = """open\n```\n\n```py\n{PYTHON}```\n\n```js\nf(`\n```\n\n```py\n{PYTHON}```\n'
    )
    assert named(outline) == [("python", "function", "load")] * 2


def test_a_broken_piece_harms_nothing_but_itself() -> None:
    outline = outlined(f"# t\n\n```py\n}}}} ((( not -- $$ ]] ???\n```\n\n```py\n{PYTHON}```\n")
    assert not outline.has_error
    assert [(node.kind, node.name) for node in code(outline)] == [("code", ""), ("code", ""), ("function", "load")]


def test_a_piece_that_its_grammar_cannot_take_stays_one_node() -> None:
    nested = "".join(f"{' ' * depth}a:\n" for depth in range(300))
    outline = outlined(f"# t\n\n```yaml\n{nested}```\n\n```yaml\na: 1\n```\n")
    assert [(node.kind, node.name) for node in code(outline)] == [("code", ""), ("code", ""), ("key", "a")]


def test_a_hostile_piece_does_not_use_up_more_than_a_file_would() -> None:
    hostile = "```py\n" + "|" * 20_000 + "\n" + "|-" * 10_000 + "\n```\n\n"
    outline = outlined("# t\n\n" + hostile * 4)
    assert [node.kind for node in code(outline)] == ["code"] * 4


def test_only_so_many_pieces_are_outlined() -> None:
    outline = outlined("# t\n\n" + "```py\nx\n```\n\n" * (MAX_PIECES + 50))
    assert sum(node.kind == "code" for node in outline.nodes) == MAX_PIECES


def test_documents_inside_documents_are_outlined_once() -> None:
    outline = outlined(f"# t\n\n````md\n## Inner\n\n```py\n{PYTHON}```\n````\n")
    assert named(outline) == [("markdown", "section", "Inner")]


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_other_line_ends_give_the_same_nodes(line_end: str) -> None:
    source = f"# t\n\n```py\n{PYTHON}```\n\n> ```js\n> function f() {{\n> }}\n> ```\n"
    outline = parse(source.replace("\n", line_end).encode(), "markdown")
    assert named(outline) == [("python", "function", "load"), ("javascript", "function", "f")]


def test_large_code_in_a_document_is_cut_between_its_functions() -> None:
    functions = [f"def f{i}(a):\n    b = a + {i}\n    return b\n" for i in range(30)]
    text = ("# Usage\n\n```python\n" + "\n\n".join(functions) + "```\n\nThe end.\n").encode()
    outline = parse(text, "markdown")
    chunks = chunk(DocumentRef(UUID(int=1), "a.md", "markdown", 1, b"r"), text, outline, ChunkBudget(300, 300)).chunks
    bodies = [text[c.start : c.end].decode() for c in chunks]
    assert all(any(function in body for body in bodies) for function in functions)
    assert all(before.end == after.start for before, after in pairwise(chunks))
    assert any("f3" in c.defines and c.scope == ("Usage",) for c in chunks)


def languages_of(source: str, host: str, size: int = 300) -> list[tuple[str, str]]:
    """Return the language of each chunk and its first line that is not blank."""
    text = source.encode()
    document = DocumentRef(UUID(int=1), "a", host, 1, b"r")
    chunks = chunk(document, text, parse(text, host), ChunkBudget(size, size)).chunks
    return [(each.language, text[each.start : each.end].decode().strip().partition("\n")[0]) for each in chunks]


def test_a_chunk_that_is_mostly_code_of_another_language_says_so() -> None:
    function = "def settle(a):\n    b = a + 1\n    return b\n\n\n"
    prose = "Words about it, and more of them than there is code to see.\n" * 4
    found = languages_of(f"# Usage\n\n{prose}\n```python\n{function * 8}```\n\n# End\n\n{prose}", "markdown")
    assert found[0] == found[-1][:1] + found[0][1:] == ("", "# Usage")
    assert {language for language, line in found if line.startswith("def settle")} == {"python"}
    assert languages_of(f"{prose}\n```python\nx = 1\n```\n", "markdown")[0][0] == ""


def test_a_script_of_a_view_is_in_the_scripts_language() -> None:
    lines = "".join(f"export const setting{i} = {i} + {i};\n" for i in range(30))
    found = languages_of(f'<template>\n<p>text</p>\n</template>\n<script lang="ts">\n{lines}</script>\n', "vue")
    assert {language for language, line in found if line.startswith("export")} == {"typescript"}


def test_code_in_its_documents_own_language_is_none_of_another() -> None:
    assert {language for language, _ in languages_of("def f():\n    return 1\n" * 40, "python")} == {""}
