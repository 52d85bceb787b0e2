"""Measure the limit and the pipeline side by side, check that both did the same, and print what it took.

python -m benchmarks.run [--dir DIR] [--latency-ms 50] [--repeat 3] [--profile] [--json FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.corpus import copy_corpus
from benchmarks.pipeline import CHECKOUT
from benchmarks.profiling import text_of
from benchmarks.provider import running_provider
from benchmarks.results import summarised
from benchmarks.rounds import measured, profiled
from benchmarks.services import open_services
from benchmarks.session import say, session

_RESULTS = CHECKOUT / "benchmarks" / "results" / "latest.json"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    given = _arguments().parse_args(argv)
    with session() as place:
        _run(given, place)


def _run(given: argparse.Namespace, place: Path) -> None:
    about = report.machine()
    corpus = copy_corpus(given.dir, place / "tree")
    say(f"{len(corpus.paths)} files, {corpus.size / 1e6:.1f} MB, latency {given.latency_ms:g} ms; starting services")
    with open_services(place) as services, running_provider(given.latency_ms) as (url, process):
        bench = Bench(services, corpus, place, url, process.pid)
        results = summarised(list(measured(bench, given.repeat, say))) if given.cases else []
        profiles = profiled(bench, say) if given.profile else {}
    about |= {"files": len(corpus.paths), "bytes": corpus.size, "latency_ms": given.latency_ms, "repeat": given.repeat}
    if results:
        print(report.tables(results))
    for side, stages in profiles.items():
        print(f"\n{text_of(side, stages)}")
    report.write_json({**report.as_json(results, about), "profile": profiles}, given.json)
    say(f"wrote {given.json}")


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("--dir", type=Path, help="what to ingest (default: the standard library without its tests)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="time of every provider call (default: 0)")
    parser.add_argument("--repeat", type=positive, default=1, help="repetitions; medians are shown (default: 1)")
    parser.add_argument("--profile", action="store_true", help="also name the hot spots of every stage")
    parser.add_argument(
        "--cases", action=argparse.BooleanOptionalAction, default=True, help="measure; --no-cases only profiles"
    )
    parser.add_argument("--json", type=Path, default=_RESULTS, help="file for the results (default: %(default)s)")
    return parser


def positive(text: str) -> int:
    """Return an argument that counts something.

    Raises:
        argparse.ArgumentTypeError: It is not 1 or more.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    main()
