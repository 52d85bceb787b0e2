"""What a large backlog costs while no worker runs: Redis, the producer and the dispatcher, and how deep the queues are.

    python -m benchmarks.backlog [--files 100000] [--json FILE]

A producer takes on many tiny files with ``--no-wait`` beside a dispatcher, whose messages nobody takes; it sends them
again as often as it finds them lost. Exit code 1: a bound does not hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import report
from benchmarks.backlog_run import Backlog, measured
from benchmarks.corpus import small_files
from benchmarks.pipeline import CHECKOUT
from benchmarks.run import positive
from benchmarks.services import open_services
from benchmarks.session import say, session
from worker.settings import load_settings

_RESULTS = CHECKOUT / "benchmarks" / "results" / "backlog.json"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=positive, default=100_000, help="how many files (default: 100000)")
    parser.add_argument("--json", type=Path, default=_RESULTS, help="file for the results (default: %(default)s)")
    given = parser.parse_args(argv)
    window = load_settings().dispatch_window
    with session() as place:
        about = report.machine()
        corpus = small_files(place / "tree", given.files)
        say(f"{given.files:,} files, {corpus.size / 1e6:.1f} MB; starting services")
        with open_services(place) as services:
            found = measured(services.environment, corpus.root, place)
        say("removing the files")
    broken = tell(found, given.files, window)
    report.write_json({**about, "files": given.files, "window": window, **asdict(found)}, given.json)
    say(f"wrote {given.json}")
    if broken:
        raise SystemExit(f"benchmarks: beyond its bound: {', '.join(broken)}")


def tell(found: Backlog, files: int, window: int) -> list[str]:
    """Print a table and return what is beyond its bound."""
    bounds = asdict(
        Backlog(redis_megabytes=50, producer_megabytes=300, dispatcher_megabytes=150, depth=window, seconds=0)
    )
    print(f"| {files:,} files, no worker | found | bound |\n|---|---|---|")
    for name, value in asdict(found).items():
        print(f"| {name.replace('_', ' ')} | {value:,.1f} | {bounds[name] or ''} |")
    return [name for name, value in asdict(found).items() if bounds[name] and value > bounds[name]]


if __name__ == "__main__":
    main()
