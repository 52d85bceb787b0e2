"""What a large backlog costs while no worker runs: Redis, the producer and the dispatcher, and how deep the queues are.

    python -m benchmarks.backlog [--files 100000] [--json FILE]

A producer takes on many tiny files with ``--no-wait`` beside a dispatcher, whose messages nobody takes; it sends them
again as often as it finds them lost. Exit code 1: a bound does not hold.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import redis

from benchmarks import report
from benchmarks.corpus import small_files
from benchmarks.measure import peak_megabytes
from benchmarks.pipeline import CHECKOUT, Fleet
from benchmarks.run import positive
from benchmarks.services import open_services
from benchmarks.session import say, session
from pipeline.types import Stage
from worker.settings import load_settings

_RESULTS = CHECKOUT / "benchmarks" / "results" / "backlog.json"
#: Seconds between two looks at Redis, and for which the dispatcher goes on alone: twice as long as a message may wait.
_LOOK = 0.1
_ALONE = 45.0


@dataclass(frozen=True)
class Backlog:
    """Megabytes at their peak, Redis beyond what it had when idle; messages in all queues at their peak."""

    redis_megabytes: float
    producer_megabytes: float
    dispatcher_megabytes: float
    depth: int
    seconds: float


@dataclass
class Watched:
    """What Redis held at most."""

    bytes: int = 0
    depth: int = 0


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
            found = _measured(services.environment, corpus.root, place)
        say("removing the files")
    broken = _tell(found, given.files, window)
    report.write_json({**about, "files": given.files, "window": window, **asdict(found)}, given.json)
    say(f"wrote {given.json}")
    if broken:
        raise SystemExit(f"benchmarks: beyond its bound: {', '.join(broken)}")


def _tell(found: Backlog, files: int, window: int) -> list[str]:
    """Print a table and return what is beyond its bound."""
    bounds = asdict(
        Backlog(redis_megabytes=50, producer_megabytes=300, dispatcher_megabytes=150, depth=window, seconds=0)
    )
    print(f"| {files:,} files, no worker | found | bound |\n|---|---|---|")
    for name, value in asdict(found).items():
        print(f"| {name.replace('_', ' ')} | {value:,.1f} | {bounds[name] or ''} |")
    return [name for name, value in asdict(found).items() if bounds[name] and value > bounds[name]]


def _measured(environment: Mapping[str, str], tree: Path, place: Path) -> Backlog:
    logs = place / "fleet"
    logs.mkdir()
    fleet = Fleet({**os.environ, **environment, "MOBIUS_EMBEDDER": "lexical"}, logs)
    with redis.Redis.from_url(environment["REDIS_URL"]) as broker, _watching(broker) as watched:
        idle = int(broker.info("memory")["used_memory"])
        fleet.start("dispatcher", (sys.executable, "-m", "worker.dispatcher"))
        try:
            began = time.monotonic()
            producer = _produce(fleet.environment, tree)
            seconds = time.monotonic() - began
            say(f"everything is accepted after {seconds:.0f} s; the dispatcher goes on alone for {_ALONE:.0f} s")
            time.sleep(_ALONE)
            dispatcher = peak_megabytes(fleet.pids)["dispatcher"]
        finally:
            for process in fleet.processes.values():
                process.terminate()
                process.wait()
    return Backlog((watched.bytes - idle) / 1e6, producer, dispatcher, watched.depth, round(seconds, 1))


def _produce(environment: Mapping[str, str], tree: Path) -> float:
    """Run a producer to its end and return its peak (MB).

    Raises:
        SystemExit: It fails.
    """
    argv = [sys.executable, "-m", "worker.cli.main", "ingest", str(tree), "--no-wait"]
    process = subprocess.Popen(argv, cwd=CHECKOUT, env=dict(environment), stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"benchmarks: the producer ended with {process.returncode}.")
    return usage.ru_maxrss / 1024


@contextmanager
def _watching(broker: redis.Redis) -> Iterator[Watched]:
    watched, done = Watched(), threading.Event()

    def look() -> None:
        while not done.wait(_LOOK):
            watched.bytes = max(watched.bytes, int(broker.info("memory")["used_memory"]))
            watched.depth = max(watched.depth, sum(int(broker.llen(stage.value)) for stage in Stage))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watched
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
