"""A source tree that never rests: files are edited, deleted, restored and put back to what they were before.

Every line carries the stamp of the edit that wrote it, so that a chunk tells which revisions it can be from. All is
drawn from one seed; a file's content is recorded before it is written, and appears under its name in one step.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

from chaos.facts import History

#: Functions of a file; each is a chunk of its own.
PARTS = 3
#: Lines of a function; two functions are more than a chunk may hold.
_LINES = 14

#: The stamps of a file's functions from the top down.
Stamps = tuple[str, ...]


def content_of(number: int, stamps: Stamps) -> bytes:
    """Return a file's text."""
    return "\n\n".join(_function(number, stamp) for stamp in stamps).encode()


def _function(number: int, stamp: str) -> str:
    name = f"file_{number}_stamp_{stamp.replace('-', '_')}"
    lines = [f"    step_{line} = 'this is line {line} of {name} and of nothing else'" for line in range(_LINES)]
    return "\n".join([f"def {name}(argument):", *lines, "    return argument", ""])


class SourceTree:
    """Files below ``root``; ``aside`` is on the same disk and outside of it."""

    def __init__(self, root: Path, aside: Path, files: int, rng: random.Random) -> None:
        self.root = root
        self.history = History()
        self.edits = 0
        self._aside = aside / "next"
        self._rng = rng
        self._lock = threading.Lock()
        self._past: list[list[Stamps]] = [[tuple(f"0-{part}" for part in range(PARTS))] for _ in range(files)]
        self._gone: set[int] = set()
        root.mkdir(parents=True)
        for number in range(files):
            self._write(number)

    def path(self, number: int) -> str:
        """Return a file's path below the root."""
        return f"package_{number % 20:02}/file_{number}.py"

    @property
    def count(self) -> int:
        """How many files there were at the start."""
        return len(self._past)

    def change(self, count: int) -> None:
        """Make so many random changes, one file each."""
        with self._lock:
            for number in self._rng.sample(range(len(self._past)), min(count, len(self._past))):
                self._change(number)

    def files(self) -> dict[str, bytes]:
        """Read the tree from the disk."""
        return {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*.py")}

    def _change(self, number: int) -> None:
        self.edits += 1
        if number in self._gone:
            self._gone.discard(number)
            self._write(number)
            return
        if self._rng.random() < 0.15 and len(self._gone) < len(self._past) // 5:
            self._gone.add(number)
            (self.root / self.path(number)).unlink()
            return
        ways: list[Callable[[list[Stamps]], Stamps]] = [self._rewritten, self._touched_up, self._prepended, _put_back]
        self._past[number].append(self._rng.choice(ways)(self._past[number]))
        self._write(number)

    def _rewritten(self, past: list[Stamps]) -> Stamps:
        return tuple(f"{self.edits}-{part}" for part in range(len(past[-1])))

    def _touched_up(self, past: list[Stamps]) -> Stamps:
        part = self._rng.randrange(len(past[-1]))
        return (*past[-1][:part], f"{self.edits}-{part}", *past[-1][part + 1 :])

    def _prepended(self, past: list[Stamps]) -> Stamps:
        """Let all that was there move down; a long file loses its end."""
        return (f"{self.edits}-0", *past[-1])[: PARTS + 2]

    def _write(self, number: int) -> None:
        content, path = content_of(number, self._past[number][-1]), self.path(number)
        self.history.record(path, content)
        self._aside.write_bytes(content)
        target = self.root / path
        target.parent.mkdir(exist_ok=True)
        self._aside.replace(target)


def _put_back(past: list[Stamps]) -> Stamps:
    """Return what was there before the last change: A, B, A."""
    return past[-2] if len(past) > 1 else past[-1]
