"""What an edit costs: five statements are put into one function, and the chunks before and after are compared."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from zlib import crc32

from benchmarks.chunk_truth import Truth
from pipeline.types import Chunk

#: Below that many bytes a file has too few chunks for a share of them to say anything.
MIN_BYTES = 12_000
STATEMENTS = 5

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

    def add(self, path: str, text: bytes, truth: Truth, language: str, cut: Cutter) -> None:
        """Make one edit in a file that is large enough and has a function to edit."""
        place = _place(path, text, truth) if len(text) >= MIN_BYTES else None
        if place is None:
            return
        edited = text[:place] + _insertion(text, place, language) + text[place:]
        before, after = cut(text), cut(edited)
        others = [text[c.start : c.end] for c in before if not c.start <= place < c.end]
        if not others:
            return
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
            "edited_files": len(kept),
            "stability_mean": round(fmean(kept), 5),
            "stability_p10": round(kept[len(kept) // 10], 5),
            "untouched_files": round(sum(share == 1 for share in kept) / len(kept), 4),
            "re_embeds": round(fmean(self.bought), 3),
        }


def _place(path: str, text: bytes, truth: Truth) -> int | None:
    """Return the start of a line inside a function: that of one of its statements, the same in every run."""
    lines = []
    for function in truth.functions:
        for start, _ in truth.statements:
            if function[0] < start < function[1]:
                line = text.rfind(b"\n", 0, start) + 1
                if line > function[0] and not text[line:start].strip():
                    lines.append(line)
    return random.Random(crc32(path.encode())).choice(lines) if lines else None


def _insertion(text: bytes, place: int, language: str) -> bytes:
    line = text[place:].partition(b"\n")[0]
    indent = line[: len(line) - len(line.lstrip())]
    newline = b"\r\n" if b"\r\n" in text else b"\n"
    return b"".join(indent + _TEMPLATES[language].format(n=n).encode() + newline for n in range(STATEMENTS))
