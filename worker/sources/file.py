"""A single file as a source: read by the rules of any other, and never a reason to delete anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.plan import Found, WalkItem
from pipeline.policy import Policy, Skip, SkipReason
from pipeline.sources import FileContent
from pipeline.traits import NOTHING_DECLARED, Declared
from worker.sources import SourceMissing
from worker.sources.reading import FILE_FLAGS, explain_missing, read_file, stat_key


class FileSource:
    """One file, under its own name. It may be named through a link; ignore files have no say about it.

    The walk sees one path of a source that may have more, so it is never complete.
    """

    complete = False

    def __init__(self, path: Path, policy: Policy) -> None:
        """Open the file's directory.

        Raises:
            SourceMissing: There is no such regular file, or it cannot be read.
        """
        self._policy = policy
        self._raw_name = os.fsencode(path.name)
        self._name = self._raw_name.decode(errors="backslashreplace")
        try:
            # Path.resolve raises RuntimeError for a loop of links before Python 3.13.
            target = Path(os.path.realpath(path, strict=True))
            self._status = target.stat()
            if not stat.S_ISREG(self._status.st_mode):
                raise SourceMissing(f"{str(path)!r} cannot be ingested: name a regular file or a directory.")
            os.close(os.open(target, FILE_FLAGS))
            self._target = os.fsencode(target.name).decode(errors="surrogateescape")
            self._parent_fd = os.open(target.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as exc:
            raise SourceMissing(explain_missing(str(path), exc)) from exc

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the directory; safe to call twice."""
        if self._parent_fd >= 0:
            os.close(self._parent_fd)
            self._parent_fd = -1

    def covers(self, path: str) -> bool:
        """Return whether the path is this file's."""
        return path == self._name

    def walk(self) -> Iterator[WalkItem]:
        """Yield the file, or why it is not admitted. Both its own name and that of its target are judged."""
        yield self._judge()

    def read(self, path: str, declared: Declared = NOTHING_DECLARED) -> FileContent | Skip:
        """Read the file, unless its content is not admitted.

        Raises:
            ValueError: ``path`` is not the one that the walk found.
            Vanished: It is gone.
            Unreadable: It cannot be read, or it changes while it is read.
        """
        if path != self._name:
            raise ValueError(f"this source holds {self._name!r} only, not {path!r}")
        content = read_file(self._parent_fd, self._target, self._policy, declared)
        return replace(content, path=path) if isinstance(content, Skip) else content

    def _judge(self) -> WalkItem:
        try:
            self._raw_name.decode()
        except UnicodeDecodeError:
            return Skip(self._name, SkipReason.UNDECODABLE_PATH)
        target = self._target.encode(errors="surrogateescape").decode(errors="backslashreplace")
        for name in (self._name, target):
            skip = self._policy.judge_file(name, self._status.st_size)
            if skip is not None:
                return replace(skip, path=self._name)
        return Found(self._name, stat_key(self._status))
