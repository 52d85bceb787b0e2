"""What an edit costs: five statements are put into one function, and the chunks before and after are compared."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from zlib import crc32

from tree_sitter import Parser

from benchmarks.chunk_sources import Source
from benchmarks.chunk_truth import Truth
from pipeline.parse.languages import grammar_of
from pipeline.types import Chunk

#: Below that many bytes a file has too few chunks for a share of them to say anything.
MIN_BYTES = 12_000
STATEMENTS = 5
#: A corpus is edited so often, as far as MOST_EDITS of one file allow: each file as often as the next.
ENOUGH_EDITS = 200
MOST_EDITS = 8
#: Where five statements are a syntax error, as among the fields of a struct, another place is taken, so often.
_TRIES = 5

_TEMPLATES = {
    "python": "audit_{n} = record(state, {n})",
    "javascript": "const audit{n} = record(state, {n});",
    "typescript": "const audit{n}: number = record(state, {n});",
    "tsx": "const audit{n}: number = record(state, {n});",
    "go": "audit{n} := record(state, {n})",
    "rust": "let audit_{n} = record(state, {n});",
    "java": "int audit{n} = record(state, {n});",
    "cpp": "int audit_{n} = record(state, {n});",
    "c": "int audit_{n} = record(state, {n});",
    "csharp": "int audit{n} = Record(state, {n});",
    "ruby": "audit_{n} = record(state, {n})",
    "php": "$audit{n} = record($state, {n});",
}

Cutter = Callable[[bytes], Sequence[Chunk]]


@dataclass(slots=True)
class Edits:
    """What edits did, one entry each: the share of other chunks that stayed, and the embeddings to buy."""

    kept: list[float] = field(default_factory=list)
    bought: list[int] = field(default_factory=list)

    def add(self, source: Source, truth: Truth, cut: Cutter, times: int = 1) -> None:
        """Make so many edits, one at a time, in a file that is large enough and has a function to edit."""
        text = source.text
        if len(text) < MIN_BYTES:
            return
        before = cut(text)
        for place, edited in _edited(source, truth, times):
            others = [text[c.start : c.end] for c in before if not c.start <= place < c.end]
            if not others:
                continue
            after = cut(edited)
            left = Counter(edited[c.start : c.end] for c in after)
            kept = sum((Counter(others) & left).values())
            self.kept.append(kept / len(others))
            self.bought.append(len({c.embed_hash for c in after} - {c.embed_hash for c in before}))

    def figures(self) -> Mapping[str, float | int]:
        """Return the figures by name; empty where nothing could be edited."""
        if not self.kept:
            return {}
        kept = sorted(self.kept)
        return {
            "edits": len(kept),
            "stability_mean": round(fmean(kept), 5),
            "stability_p10": round(kept[len(kept) // 10], 5),
            "untouched_files": round(sum(share == 1 for share in kept) / len(kept), 4),
            "re_embeds": round(fmean(self.bought), 3),
        }


def edits_per_file(sources: Iterable[Source]) -> int:
    """Return how often to edit each file of a corpus."""
    large = sum(len(source.text) >= MIN_BYTES for source in sources)
    return max(1, min(MOST_EDITS, -(-ENOUGH_EDITS // max(large, 1))))


def _edited(source: Source, truth: Truth, times: int) -> Iterator[tuple[int, bytes]]:
    """Yield places inside functions, the starts of lines, and the text with five statements there: always the same."""
    grammar = grammar_of(source.language)
    assert grammar is not None  # noqa: S101  sources have one
    text, lines, rng = source.text, _lines_in_functions(source.text, truth), random.Random(crc32(source.path.encode()))
    was_sound = not Parser(grammar).parse(text).root_node.has_error
    for _ in range(times if lines else 0):
        for _ in range(_TRIES):
            place = rng.choice(lines)
            edited = text[:place] + _insertion(text, place, source.language) + text[place:]
            if not (was_sound and Parser(grammar).parse(edited).root_node.has_error):
                yield place, edited
                break


def _lines_in_functions(text: bytes, truth: Truth) -> list[int]:
    """Return the starts of the lines inside functions that begin with a statement."""
    lines = []
    for function in truth.functions:
        for start, _ in truth.statements:
            if function[0] < start < function[1]:
                line = text.rfind(b"\n", 0, start) + 1
                if line > function[0] and not text[line:start].strip():
                    lines.append(line)
    return lines


def _insertion(text: bytes, place: int, language: str) -> bytes:
    line = text[place:].partition(b"\n")[0]
    indent = line[: len(line) - len(line.lstrip())]
    newline = b"\r\n" if b"\r\n" in text else b"\n"
    return b"".join(indent + _TEMPLATES[language].format(n=n).encode() + newline for n in range(STATEMENTS))
