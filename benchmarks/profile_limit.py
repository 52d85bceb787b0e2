"""Profile the limit, one thing after the other: ``python -m benchmarks.profile_limit TREE`` prints JSON."""

from __future__ import annotations

from pathlib import Path

from benchmarks.limit_flow import Limit
from benchmarks.profiling import Profiles, main, warm_and_run
from worker.settings import load_settings


def profiled(tree: Path, profiles: Profiles) -> None:
    """Take the tree in without threads."""
    limit = Limit(load_settings(), profiles, threads=0)
    warm_and_run(limit.run, tree, profiles)
    limit.close()


if __name__ == "__main__":
    main(profiled)
