"""How fast chunking is beside parsing alone, and what one large file takes: CPU time of this process.

python -m benchmarks.chunk_speed MEGABYTES prints what one file of that size takes, for a process of its own.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tree_sitter import Parser

from benchmarks.chunk_figures import DOCUMENT
from benchmarks.chunk_sources import Source, standard_sources
from pipeline.chunk import ChunkBudget, chunk, chunk_ends
from pipeline.parse.languages import grammar_of
from pipeline.parse.parser import parse

_ROUNDS = 3


def speeds(sources: Sequence[Source], budget: ChunkBudget) -> Mapping[str, float]:
    """Return speeds, the best of three rounds each, that take turns because machines change their speed."""

    def parse_only(source: Source) -> int:
        grammar = grammar_of(source.language)
        assert grammar is not None  # noqa: S101  sources have one
        return Parser(grammar).parse(source.text).root_node.child_count

    def cuts(source: Source) -> int:
        return len(chunk_ends(source.text, parse(source.text, source.language), budget))

    def everything(source: Source) -> int:
        return len(chunk(DOCUMENT, source.text, parse(source.text, source.language), budget).chunks)

    works: tuple[Callable[[Source], int], ...] = (parse_only, cuts, everything)
    best = [float("inf")] * len(works)
    chunks = 0
    for _ in range(_ROUNDS):
        for i, work in enumerate(works):
            began = time.process_time()
            chunks = sum(map(work, sources))
            best[i] = min(best[i], time.process_time() - began)
    size = sum(len(source.text) for source in sources) / 1e6
    return {
        "parse_only_mb_per_s": round(size / best[0], 2),
        "mb_per_s": round(size / best[2], 2),
        "chunks_per_s": round(chunks / best[2]),
        "share_of_parse_only_without_metadata": round(best[0] / best[1], 3),
        "share_of_parse_only": round(best[0] / best[2], 3),
    }


def large_file(megabytes: int) -> Mapping[str, float]:
    """Return CPU seconds and peak memory of chunking one file of that size, measured in a new process."""
    command = [sys.executable, "-m", "benchmarks.chunk_speed", str(megabytes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _measure_large(megabytes: int) -> Mapping[str, float]:
    pieces: list[bytes] = []
    size = 0
    for source in standard_sources():
        if size < megabytes * 1_000_000:
            pieces.append(source.text.removeprefix(b"\xef\xbb\xbf") + b"\n")
            size += len(pieces[-1])
    text = b"".join(pieces)[: megabytes * 1_000_000].decode(errors="ignore").encode()
    began = time.process_time()
    chunks = chunk(DOCUMENT, text, parse(text, "python"), ChunkBudget()).chunks
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"mb": len(text) / 1e6, "chunks": len(chunks), "cpu_seconds": round(seconds, 2), "peak_mb": round(peak)}


if __name__ == "__main__":
    print(json.dumps(_measure_large(int(sys.argv[1]))))
