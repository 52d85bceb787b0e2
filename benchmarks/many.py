"""How long it takes to find out that nothing changed: many small files, taken in once and then again and again.

    python -m benchmarks.many [--files 50000] [--repeat 3] [--json FILE]

The embedder is the local one, the processes are the defaults. The first command takes minutes; the others read no
file, for the status of every file is as it was.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.bench import Bench
from benchmarks.cases import pipeline_case
from benchmarks.corpus import small_files, wait_until_trusted
from benchmarks.pipeline import CHECKOUT, running_fleet
from benchmarks.provider import running_provider
from benchmarks.results import COLD, DEFAULTS, UNCHANGED, CaseResult
from benchmarks.run import positive
from benchmarks.services import open_services
from benchmarks.session import say, session
from worker.settings import load_settings

_RESULTS = CHECKOUT / "benchmarks" / "results" / "many.json"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.many", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=positive, default=50_000, help="how many files (default: 50000)")
    parser.add_argument("--repeat", type=positive, default=3, help="unchanged ingestions (default: 3)")
    parser.add_argument("--json", type=Path, default=_RESULTS, help="file for the results (default: %(default)s)")
    given = parser.parse_args(argv)
    with session() as place:
        about = report.machine()
        corpus = small_files(place / "tree", given.files)
        say(f"{given.files:,} files, {corpus.size / 1e6:.1f} MB; starting services")
        with open_services(place) as services, running_provider(0.0) as (url, process):
            results = list(_measured(Bench(services, corpus, place, url, process.pid), given.repeat))
        print(report.tables(results))
        report.write_json(report.as_json(results, {**about, "files": given.files, "bytes": corpus.size}), given.json)
        say(f"wrote {given.json}")


def _measured(bench: Bench, repeat: int) -> Iterator[CaseResult]:
    settings = load_settings()
    with bench.environment() as environment:
        # The stand-in's vectors would fill the disk with what no unchanged file needs.
        environment["MOBIUS_EMBEDDER"] = "lexical"
        place = bench.place / "fleet"
        with running_fleet(environment, place, settings.cpu_concurrency, settings.io_concurrency) as fleet:
            wait_until_trusted(bench.corpus)
            for case in (COLD, *(f"{UNCHANGED} {number}" for number in range(1, repeat + 1))):
                result = pipeline_case(bench, fleet, DEFAULTS, case)
                wanted = len(bench.corpus.paths) if case == COLD else 0
                if (result.documents, result.outcome.documents) != (wanted, len(bench.corpus.paths)):
                    raise SystemExit(f"benchmarks: {case}: {result.outcome} is not {wanted} documents.")
                say(f"  {case}: {result.seconds:.2f} s")
                yield result


if __name__ == "__main__":
    main()
