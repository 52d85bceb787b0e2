"""``make chaos``: put the embedded stack under fire for a while and report what it came to."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from chaos.faults import KINDS
from chaos.report import as_json, as_text
from chaos.soak import soak
from chaos.wish import Wish

#: From a single fault to all that it found in flight having moved on (seconds); the shipped settings promise it.
BOUND = 60.0


def main() -> int:
    """Run and return the exit code: 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0, help="how long faults strike")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="draws everything")
    parser.add_argument("--files", type=int, default=2_000, help="files of the tree")
    parser.add_argument("--gap", type=float, default=1.0, help="seconds between two faults of the storm at most")
    parser.add_argument("--only", action="append", choices=KINDS, help="only this kind of fault; may be repeated")
    parser.add_argument("--json", type=Path, help="file to write the result to as JSON as well")
    given = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="mobius-chaos-"))
    sys.stdout.write(f"seed {given.seed}; logs and data are kept in {directory}\n")
    kinds = given.only or list(KINDS)
    wish = Wish(
        directory,
        given.seed,
        given.seconds,
        given.files,
        singles=kinds,
        storm=kinds,
        gap=given.gap,
        rest=max(300.0, given.files / 4),
        bound=BOUND,
        say=_say,
    )
    result = soak(wish)
    (given.json or directory / "result.json").write_text(as_json(result) + "\n")
    sys.stdout.write(as_text(result) + "\n")
    return 0 if result.has_survived else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
