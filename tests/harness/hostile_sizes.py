"""Parse and chunk large hostile files of one language, in a process of its own, and say what each took.

``python -m harness.hostile_sizes LANGUAGE BYTES`` prints a line of JSON for each file: its name, seconds of processor
time behind those that parsing may take, and bytes the process grew beyond those that a parse may.
"""

from __future__ import annotations

import json
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from time import thread_time
from uuid import UUID

from harness.hostile import MEMORY_BYTES, say

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.limits import growth_allowed
from pipeline.parse.parser import allowed_seconds, parse
from pipeline.types import Chunk, DocumentRef

BUDGET = ChunkBudget()
#: What takes no longer is done a second time.
QUICK_SECONDS = 0.2

#: What holds definitions and nests: what opens it, and what closes it.
HOLDERS = {
    "python": (" if a:", ""),
    "ruby": ("class A\n", "end\n"),
    "php": ("namespace A { class A { ", "} }"),
    "bash": ("f() { ", "; }"),
    "javascript": ("class A { a = ", "}"),
    "typescript": ("namespace a { ", "}"),
    "tsx": ("namespace a { ", "}"),
    "html": ("<div id=a>", "</div>"),
    "vue": ("<template>", "</template>"),
    "css": ("@media a { ", "}"),
    "c": ("struct A { ", "} a;"),
    "cpp": ("namespace a { ", "}"),
    "rust": ("mod a { ", "}"),
    "go": ("func() { ", "}()"),
    "java": ("class A { ", "}"),
    "csharp": ("namespace A { ", "}"),
    "json": ('{"a": ', "}"),
    "yaml": ("{a: ", "}"),
    "toml": ("a = [", "]"),
    "sql": ("SELECT (", ")"),
    "markdown": ("> ", ""),
}
#: What comes again and again. Each took some grammar, or what reads its trees, time or memory with the square of it.
AGAIN = ("/*b*/", "<!-- a", ")(", "{}", "a b\n", 'source "a" b\n', "#if __cplusplus ")


def files(language: str, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield hostile files of about that size, each with what to call it."""
    head = b"<?php " if language == "php" else b""
    opening, closing = (text.encode() for text in HOLDERS[language])
    depth = size // len(opening + closing)
    yield "definitions ever deeper", head + opening * depth + closing * depth
    deep = opening * 900 + closing * 900 + b"\n"
    yield "definitions 900 deep again and again", head + deep * (size // len(deep) + 1)
    yield "comments in a body", b"def f():\n" + b"#b\n" * (size // 3) + b" pass\n"
    for piece in AGAIN:
        yield f"{piece!r} again and again", head + piece.encode() * (size // len(piece))
    dice = random.Random(1)
    yield "noise", head + bytes(dice.choices(b"(){}[]<>\"'`#;:=,.\n ab", k=size))


def check(text: bytes, chunks: tuple[Chunk, ...]) -> None:
    """Raise an error unless the chunks are the text, and within the budget."""
    bodies = [text[each.start : each.end] for each in chunks]
    if b"".join(bodies) != text or any(len(body) > BUDGET.max_bytes for body in bodies):
        raise AssertionError("these chunks are not the text")


def peak_bytes() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def main(language: str, size: int) -> None:
    """Parse and chunk every file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    document = DocumentRef(UUID(int=1), "a", language, 1, None)
    parse(b"a", language)
    for name, text in files(language, size):
        before, began = peak_bytes(), thread_time()
        outline = parse(text, language)
        chunks = chunk(document, text, outline, BUDGET).chunks
        seconds = thread_time() - began
        check(text, chunks)
        if seconds < QUICK_SECONDS and chunk(document, text, parse(text, language), BUDGET).chunks != chunks:
            raise AssertionError(f"{name} has other chunks at the second time")
        grown = peak_bytes() - before
        over = seconds - allowed_seconds(size), grown - growth_allowed(size)
        say(json.dumps([name, *over, max((node.depth for node in outline.nodes), default=0)]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
