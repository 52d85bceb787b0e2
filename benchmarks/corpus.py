"""The files that are measured with: a private copy that holds exactly what the pipeline would take in.

Both sides read the same copy, so policy and ignore rules decide nothing twice, and edits touch nobody's files.
"""

from __future__ import annotations

import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.plan import RACY_NS, Found
from pipeline.policy import Policy, Skip
from worker.sources.directory import DirectorySource

#: Directories of the standard library that are no part of it, or are tests.
LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__"})
#: One file in this many is edited for the edited case.
_EDIT_EVERY = 100


@dataclass(frozen=True)
class Corpus:
    """Files below ``root``: their relative paths in order, and their bytes in all."""

    root: Path
    paths: tuple[str, ...]
    size: int

    @property
    def edited(self) -> tuple[str, ...]:
        """The files that `edit` changes: one in a hundred, at least one, spread evenly over those that have text."""
        texts = [path for path in self.paths if _has_lines(self.root / path)]
        wanted = max(1, len(self.paths) // _EDIT_EVERY)
        return tuple(texts[:: max(1, len(texts) // wanted)][:wanted])

    def edit(self) -> dict[str, bytes]:
        """Double the middle line of some files, and return what they held before."""
        before = {path: (self.root / path).read_bytes() for path in self.edited}
        for path, data in before.items():
            lines = data.splitlines(keepends=True)
            middle = len(lines) // 2
            doubled = [*lines[:middle], lines[middle].rstrip(b"\r\n") + b"\n", *lines[middle:]]
            (self.root / path).write_bytes(b"".join(doubled))
        return before

    def restore(self, before: dict[str, bytes]) -> None:
        """Undo `edit`."""
        for path, data in before.items():
            (self.root / path).write_bytes(data)


def standard_library() -> Path:
    """Return the directory of the running interpreter's own modules."""
    return Path(sysconfig.get_path("stdlib"))


def copy_corpus(source: Path | None, target: Path) -> Corpus:
    """Copy what would be ingested of ``source`` (None: the standard library without its tests) to ``target``.

    Raises:
        SourceMissing: There is no such directory.
        SystemExit: Nothing in it would be ingested.
    """
    left_out = LEFT_OUT if source is None else frozenset()
    paths: list[str] = []
    size = 0
    with DirectorySource(source or standard_library(), Policy()) as files:
        for item in files.walk():
            if not isinstance(item, Found) or left_out.intersection(item.path.split("/")[:-1]):
                continue
            content = files.read(item.path)
            if isinstance(content, Skip):
                continue
            copy = target / item.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content.data)
            paths.append(item.path)
            size += len(content.data)
    if not paths:
        raise SystemExit(f"benchmarks: nothing in {source} would be ingested; name a directory with source files.")
    return Corpus(target, tuple(paths), size)


def small_files(target: Path, count: int, directories: int = 500) -> Corpus:
    """Make ``count`` modules of a few hundred bytes, all different, spread over directories."""
    paths: list[str] = []
    size = 0
    for number in range(count):
        path = f"package_{number % directories:03}/module_{number:06}.py"
        data = _module(number).encode()
        copy = target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(data)
        paths.append(path)
        size += len(data)
    return Corpus(target, tuple(sorted(paths)), size)


def wait_until_trusted(corpus: Corpus) -> None:
    """Wait until the status of all files proves their content, as it does for files at rest."""
    newest = max((corpus.root / path).stat().st_ctime_ns for path in corpus.paths)
    time.sleep(max(0, newest + RACY_NS - time.time_ns()) / 1e9 + 0.01)


def _module(number: int) -> str:
    return (
        f'"""Module {number}: one of many small ones."""\n\n\n'
        f"def step_{number}(value: int) -> int:\n"
        f'    """Return the value moved by {number}."""\n'
        f"    return value + {number}\n\n\n"
        f"def scale_{number}(value: int, factor: int = {number % 97}) -> int:\n"
        f"    moved = step_{number}(value)\n"
        f"    return moved * factor\n"
    )


def _has_lines(path: Path) -> bool:
    data = path.read_bytes()
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return b"\n" in data
