"""One rich sample per language has its golden outline, and is chunked without loss.

``python tests/unit/pipeline/parse/test_golden.py`` writes the golden outlines anew; read their diff before committing.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

ROOT = Path(__file__).parents[4]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from pipeline.chunk import ChunkBudget, chunk, count_newlines  # noqa: E402
from pipeline.outline_codec import pack_outline, unpack_outline  # noqa: E402
from pipeline.parse.languages import LANGUAGES, packed  # noqa: E402
from pipeline.parse.parser import parse  # noqa: E402
from pipeline.types import DocumentRef, Outline, OutlineNode  # noqa: E402

FOLDER = Path(__file__).parent / "golden"
SAMPLES = sorted(path.stem for path in FOLDER.glob("*.sample"))
BUDGETS = (ChunkBudget(), ChunkBudget(400, 300), ChunkBudget(48, 32))


def sample(language: str) -> bytes:
    return (FOLDER / f"{language}.sample").read_bytes()


def described(outline: Outline, text: bytes) -> str:
    """Return one line for each node: first and last line, depth and kind, name, signature, embedded language."""

    def line(node: OutlineNode) -> str:
        first = count_newlines(text[: node.start]) + 1
        last = first + count_newlines(text[node.start : node.end].rstrip())
        words = f"{first:>3}-{last:<3} {'  ' * node.depth}{node.kind}"
        words += f" {node.name} | {node.signature}" if node.name else ""
        return words + (f" [{node.language}]" if node.language else "")

    return "".join(f"{line(node)}\n" for node in outline.nodes)


@pytest.mark.parametrize("language", SAMPLES)
def test_the_sample_has_its_golden_outline(language: str) -> None:
    text = sample(language)
    outline = parse(text, language)
    assert described(outline, text) == (FOLDER / f"{language}.outline").read_text()
    assert not outline.has_error
    assert unpack_outline(pack_outline(outline)) == outline


def test_every_language_that_is_always_there_has_a_sample() -> None:
    assert sorted(name for name, entry in LANGUAGES.items() if entry.module not in {"", packed.MODULE}) == SAMPLES


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("language", SAMPLES)
def test_the_sample_is_chunked_without_loss(language: str, line_end: bytes) -> None:
    text = sample(language).replace(b"\n", line_end)
    document = DocumentRef(UUID(int=1), language, language, 1, b"r")
    outline = parse(text, language)
    for budget in BUDGETS:
        chunks = chunk(document, text, outline, budget).chunks
        assert b"".join(text[c.start : c.end] for c in chunks) == text
        assert all(before.end == after.start for before, after in pairwise(chunks))
        assert all(0 < c.end - c.start <= budget.max_bytes for c in chunks)
        assert chunk(document, text, parse(text, language), budget).chunks == chunks


@pytest.mark.parametrize("language", SAMPLES)
def test_nodes_only_ever_nest(language: str) -> None:
    outline = parse(sample(language), language)
    around: list[OutlineNode] = []
    for before, node in pairwise((None, *outline.nodes)):
        del around[node.depth :]
        assert len(around) == node.depth
        assert not around or around[-1].start <= node.start < node.end <= around[-1].end
        assert before is None or before.start <= node.start
        around.append(node)


if __name__ == "__main__":
    for name in SAMPLES:
        data = sample(name)
        (FOLDER / f"{name}.outline").write_text(described(parse(data, name), data))
