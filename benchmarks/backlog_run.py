"""Run a producer and a dispatcher beside a Redis that is watched, with no worker to take a message."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from benchmarks.measure import peak_megabytes
from benchmarks.pipeline import CHECKOUT, Fleet
from benchmarks.session import say
from pipeline.types import Stage

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


def measured(environment: Mapping[str, str], tree: Path, place: Path) -> Backlog:
    """Take a tree in while no worker runs, let the dispatcher go on alone for a while, and return what it took."""
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
