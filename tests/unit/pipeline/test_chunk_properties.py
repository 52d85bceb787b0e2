"""For arbitrary text in any language, and after arbitrary edits, chunks tile the text."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.chunk import ChunkBudget, chunk
from pipeline.outline_codec import pack_outline, unpack_outline
from pipeline.parse.decode import text_of
from pipeline.parse.languages import LANGUAGES
from pipeline.parse.parser import parse
from pipeline.types import Chunk, DocumentRef, Outline, OutlineNode

DOCUMENT = DocumentRef(UUID(int=1), "any", "text", 1, b"r")

#: Pieces that grammars care about, so that arbitrary text is now and then nearly code.
PIECES = st.sampled_from(
    [
        "def f(a):\n    return a\n",
        "class A:\n    def m(self):\n        pass\n\n",
        "@dec\n",
        "# note\n",
        "export const f = () => {\n",
        "}\n",
        "interface I { x: string }\n",
        "// c\n",
        "/* b */ ",
        "## Title\n\n",
        "Title\n---\n",
        "- item\n",
        "```\n",
        '{"k": [1, {"a": null}]}',
        "key:\n  - a: 1\n",
        "? x\n: y\n",
        '"""',
        "`${",
        "<a>",
        "\\\n",
        "\r\n",
        "\r",
        "\n\n",
        "\t",
        "\x0c",
        "\ufeff",
        "é",
        "👩‍👧",
        "e\u0301",
        "(((",
        "]]",
    ]
)
SOURCES = st.lists(PIECES | st.text(max_size=30), max_size=40).map("".join)
BUDGETS = st.tuples(st.integers(16, 400), st.integers(16, 400)).map(lambda pair: ChunkBudget(max(pair), min(pair)))
#: Bytes from an edit on which chunks are not to change: five chunks of the budget used with it.
FAR = 2_000
FAST = settings(max_examples=60, deadline=None, derandomize=True)


def assert_tiles(text: bytes, chunks: tuple[Chunk, ...], budget: ChunkBudget) -> None:
    assert b"".join(text[c.start : c.end] for c in chunks) == text
    assert [c.start for c in chunks] == [0, *(c.end for c in chunks)][: len(chunks)]
    assert all(0 < c.end - c.start <= budget.max_bytes for c in chunks)
    assert all(text[c.start : c.end].decode() for c in chunks)
    assert all(after.start_line - before.end_line in (0, 1) for before, after in pairwise(chunks))
    assert len({c.id for c in chunks}) == len(chunks)


@FAST
@given(source=SOURCES, language=st.sampled_from(sorted(LANGUAGES)), budget=BUDGETS)
def test_any_text_in_any_language_is_tiled(source: str, language: str, budget: ChunkBudget) -> None:
    data = source.replace("\0", "").encode()
    outline = parse(data, language)
    assert unpack_outline(pack_outline(outline)) == outline
    assert_tiles(data, chunk(DOCUMENT, data, outline, budget).chunks, budget)


@FAST
@given(data=st.binary(max_size=400), language=st.sampled_from(sorted(LANGUAGES)))
def test_any_bytes_without_nul_are_tiled(data: bytes, language: str) -> None:
    data = data.replace(b"\0", b"").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff") * 4
    data = b"x" + data
    outline = parse(data, language)
    text = text_of(data, outline.encoding)
    budget = ChunkBudget(50, 30)
    assert_tiles(text, chunk(DOCUMENT, text, outline, budget).chunks, budget)


@FAST
@given(
    source=SOURCES, edit=PIECES, where=st.floats(0, 1), language=st.sampled_from(["python", "typescript", "markdown"])
)
def test_an_edited_text_is_tiled_and_keeps_its_ids_unique(source: str, edit: str, where: float, language: str) -> None:
    at = int(len(source) * where)
    data = (source[:at] + edit + source[at:]).replace("\0", "").encode()
    budget = ChunkBudget(200, 150)
    assert_tiles(data, chunk(DOCUMENT, data, parse(data, language), budget).chunks, budget)


@settings(FAST, max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 25), min_size=60, max_size=90),
    inserted=st.integers(1, 5),
    where=st.floats(0, 0.999),
)
def test_chunks_far_from_an_edit_keep_their_ids(sizes: list[int], inserted: int, where: float) -> None:
    functions = [
        f"def f{i}(a):\n" + "".join(f"    b{j} = a + {i * j}\n" for j in range(size)) + "\n\n"
        for i, size in enumerate(sizes)
    ]
    edited = int(len(functions) * where)
    change = functions[edited] + "".join(f"    edited_{n} = {n}\n" for n in range(inserted)) + "\n\n"
    budget = ChunkBudget(400, 400)
    before, after = (
        {c.id: c for c in chunk(DOCUMENT, text, parse(text, "python"), budget).chunks}
        for text in (
            "".join(some).encode() for some in (functions, [*functions[:edited], change, *functions[edited + 1 :]])
        )
    )
    start = sum(map(len, functions[:edited]))
    lost = [before[i] for i in before.keys() - after.keys()]
    far = [c for c in lost if c.end < start - FAR or c.start > start + len(functions[edited]) + FAR]
    assert len(far) <= len(before) // 10


@FAST
@given(source=SOURCES, spans=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=20), budget=BUDGETS)
def test_no_outline_can_break_the_tiling(source: str, spans: list[tuple[int, int]], budget: ChunkBudget) -> None:
    text = source.encode()
    nodes = tuple(
        OutlineNode(min(a, b, len(text)), min(max(a, b), len(text)), depth % 4, "block", "n" * (depth % 2))
        for depth, (a, b) in enumerate(sorted(spans))
    )
    outline = Outline(1, "text", "utf-8", len(text), False, nodes)
    assert_tiles(text, chunk(DOCUMENT, text, outline, budget).chunks, budget)
