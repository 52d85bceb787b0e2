"""How fast chunking is beside parsing alone, and what one large file takes: CPU time of this process.

python -m benchmarks.chunk_speed MEGABYTES prints what one file of that size takes, for a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tree_sitter import Parser

from benchmarks.chunk_figures import DOCUMENT
from benchmarks.chunk_sources import Source, standard_sources
from pipeline.chunk import ChunkBudget, chunk, chunk_ends
from pipeline.parse.languages import grammar_of
from pipeline.parse.parser import parse

_ROUNDS = 5

_Work = Callable[[Source], object]


def speeds(sources: Sequence[Source], budget: ChunkBudget) -> Mapping[str, float]:
    """Return speeds: of parsing alone, of outline and cuts, and of chunks with facts, labels, ids and hashes."""

    def parse_only(source: Source) -> object:
        grammar = grammar_of(source.language)
        assert grammar is not None  # noqa: S101  sources have one
        return Parser(grammar).parse(source.text)

    def cuts(source: Source) -> object:
        return chunk_ends(
            source.text, parse(source.text, source.language, with_facts=False, leaf_bytes=budget.leaf_bytes), budget
        )

    def everything(source: Source) -> object:
        return chunk(DOCUMENT, source.text, parse(source.text, source.language, leaf_bytes=budget.leaf_bytes), budget)

    alone, without_metadata, complete = _best_seconds((parse_only, cuts, everything), sources)
    size = sum(len(source.text) for source in sources) / 1e6
    chunks = sum(
        len(chunk_ends(each.text, parse(each.text, each.language, leaf_bytes=budget.leaf_bytes), budget))
        for each in sources
    )
    return {
        "parse_only_mb_per_s": round(size / alone, 2),
        "mb_per_s": round(size / complete, 2),
        "chunks_per_s": round(chunks / complete),
        "share_of_parse_only_without_metadata": round(alone / without_metadata, 3),
        "share_of_parse_only": round(alone / complete, 3),
    }


def _best_seconds(works: Sequence[_Work], sources: Sequence[Source]) -> list[float]:
    """Return what each work takes for all sources, each in its best round.

    They take turns at every source, because machines change their speed; the first round warms up. Garbage is
    collected when the interpreter thinks fit, which is at the cost of those that make it.
    """
    best = [[float("inf")] * len(works) for _ in sources]
    for _ in range(_ROUNDS):
        for source, times in zip(sources, best, strict=True):
            for i, work in enumerate(works):
                began = time.process_time()
                work(source)
                times[i] = min(times[i], time.process_time() - began)
    return [sum(times) for times in zip(*best, strict=True)] or [0.0] * len(works)


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
    budget = ChunkBudget()
    chunks = chunk(DOCUMENT, text, parse(text, "python", leaf_bytes=budget.leaf_bytes), budget).chunks
    seconds = time.process_time() - began
    # Not ``ru_maxrss``: a new process inherits that of the one that started it.
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return {"mb": len(text) / 1e6, "chunks": len(chunks), "cpu_seconds": round(seconds, 2), "peak_mb": round(peak)}


if __name__ == "__main__":
    print(json.dumps(_measure_large(int(sys.argv[1]))))
