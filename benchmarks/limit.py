"""The limit: the least work that has the pipeline's result, as one process of straight code.

Each file is read, parsed, chunked; what is to be embedded is packed into full provider calls, as many at once as the
pipeline makes in one task; each answer goes to Postgres with its chunks, documents and blobs by binary COPY, one
transaction per call, into tables shaped and indexed like the product's but without foreign keys; then its points go
to Qdrant in one request that waits. Calls, COPY and upsert run in a few threads beside the parsing.

There is no queue, no slice, no claim, no outline or chunk set in between, no reading back, no condition on a write:
what is left out is what the pipeline adds. Parsing, chunking, packing and the clients are the product's own, so a
faster parser or client moves both sides. Clients are connected and warm before the time starts, as the pipeline's
workers are::

    python -m benchmarks.limit TREE

prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from benchmarks.clock import Clock
from benchmarks.limit_flow import Limit
from benchmarks.limit_store import empty_tables
from worker.settings import load_settings


def measure(root: Path) -> dict[str, object]:
    """Take a tree in after a tiny one, and return counts, seconds and CPU seconds by stage."""
    settings = load_settings()
    limit = Limit(settings, Clock(), settings.openai_concurrency)
    with tempfile.TemporaryDirectory() as place:
        Path(place, "warm.py").write_text("def warm():\n    return True\n")
        limit.run(Path(place))
    empty_tables(settings.require("database_url"))
    limit.forget_times()
    cpu, began = time.process_time(), time.monotonic()
    counts = limit.run(root)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    limit.close()
    stages = limit.clock.seconds
    # The provider's answers are read in a thread of the client's.
    stages["embed"] = stages.get("embed", 0.0) + cpu - sum(stages.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**counts, "seconds": seconds, "cpu": cpu, "stages": stages, "peak_mb": peak}


def main() -> None:
    """Print what was measured as JSON."""
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.limit")
    arguments.add_argument("tree", type=Path)
    print(json.dumps(measure(arguments.parse_args().tree)))


if __name__ == "__main__":
    main()
