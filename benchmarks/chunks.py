"""Measure the chunks of many files against what their grammars say, and print every figure that chunking is judged by.

python -m benchmarks.chunks [--dir DIR] [--max-bytes 2000] [--target-bytes N] [--packing balanced] [--json FILE]
                            [--without-tests] [--most-bytes N]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import chunk_sources, report
from benchmarks.chunk_edits import Edits, edits_per_file
from benchmarks.chunk_figures import DOCUMENT, Tally
from benchmarks.chunk_speed import large_file, speeds
from benchmarks.chunk_truth import truth_of
from benchmarks.pipeline import CHECKOUT
from pipeline.chunk import ChunkBudget, chunk
from pipeline.chunk_pack import Packing
from pipeline.parse.parser import parse
from pipeline.types import Chunk

_RESULTS = CHECKOUT / "benchmarks" / "results" / "chunks.json"

Figures = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    given = _arguments().parse_args(argv)
    budget = ChunkBudget(given.max_bytes, given.target_bytes or given.max_bytes, Packing(given.packing))
    corpora = _written(given) if given.dir else _corpora()
    results = {name: _measured(sources, budget) for name, sources in corpora.items()}
    large = {} if given.dir else {f"{size} MB": dict(large_file(size)) for size in (5, 10)}
    print(report.table(("figure", *results), _rows(results)))
    for size, figures in large.items():
        print(f"\nOne file of {size}: {figures['cpu_seconds']} s of CPU time, {figures['peak_mb']} MB at the peak")
    about = {**report.machine(), "max_bytes": budget.max_bytes, "target_bytes": budget.target_bytes}
    report.write_json({**about, "packing": budget.packing, "corpora": results, "large": large}, given.json)


def _written(given: argparse.Namespace) -> Mapping[str, list[chunk_sources.Source]]:
    found = chunk_sources.by_language(chunk_sources.written_sources(given.dir, with_tests=not given.without_tests))
    if given.most_bytes is None:
        return found
    return {language: chunk_sources.sampled(sources, given.most_bytes) for language, sources in found.items()}


def _corpora() -> Mapping[str, list[chunk_sources.Source]]:
    installed = chunk_sources.by_language(chunk_sources.installed_sources())
    made = chunk_sources.by_language(chunk_sources.made_sources())
    return {
        "standard library": chunk_sources.standard_sources(),
        **{f"installed {language}": sources for language, sources in installed.items()},
        **{f"made {language}": sources for language, sources in made.items()},
    }


def _measured(sources: Sequence[chunk_sources.Source], budget: ChunkBudget) -> Figures:
    tally, edits, times = Tally(), Edits(), edits_per_file(sources)
    for source in sources:

        def cut(text: bytes, language: str = source.language) -> tuple[Chunk, ...]:
            return chunk(DOCUMENT, text, parse(text, language, leaf_bytes=budget.leaf_bytes), budget).chunks

        truth = truth_of(source.text, source.language)
        tally.add(source.path, source.text, cut(source.text), truth, budget.max_bytes)
        edits.add(source, truth, cut, times)
    return {**tally.figures(), **edits.figures(), **speeds(sources, budget)}


def _rows(results: Mapping[str, Figures]) -> list[tuple[str, ...]]:
    names = dict.fromkeys(name for figures in results.values() for name in figures)
    return [(name, *(str(figures.get(name, "")) for figures in results.values())) for name in names]


def _arguments() -> argparse.ArgumentParser:
    budget = ChunkBudget()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chunks", description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, help="what to chunk (default: the standard library, installed files, made)")
    parser.add_argument("--without-tests", action="store_true", help="with --dir: leave out the files that are tests")
    parser.add_argument("--most-bytes", type=int, help="with --dir: of each language a sample of so many bytes at most")
    parser.add_argument("--max-bytes", type=int, default=budget.max_bytes, help="bytes of a chunk (default: 2000)")
    parser.add_argument("--target-bytes", type=int, help="bytes up to which chunks are joined (default: as many)")
    parser.add_argument("--packing", choices=list(Packing), default=budget.packing, help="default: balanced")
    parser.add_argument("--json", type=Path, default=_RESULTS, help="file for the results (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
