"""A source whose files are given, as a walk of a directory would find them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pipeline.identity import revision_of
from pipeline.plan import Found, WalkItem
from pipeline.sources import FileContent

#: When the files are read: long after they were changed (ns).
_NOW = 10**18


class FilesSource:
    """Path to content; ``reads`` are the paths that were read."""

    complete = True

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = {path: content.encode() for path, content in files.items()}
        self.reads: list[str] = []

    def covers(self, path: str) -> bool:
        """See the port."""
        return True

    def walk(self) -> Iterator[WalkItem]:
        """See the port."""
        for path in sorted(self._files):
            yield Found(path, self._stat(path))

    def read(self, path: str, *_declared: object) -> FileContent:
        """See the port."""
        self.reads.append(path)
        return FileContent(self._files[path], self._stat(path), _NOW)

    def close(self) -> None:
        """See the port."""

    def _stat(self, path: str) -> str:
        data = self._files[path]
        return f"{len(data)}:1000:1000:{int.from_bytes(revision_of(data)[:6])}:1"


class Unreported:
    """Is told what a plan does, and tells nobody."""

    def opened(self, run_id: UUID) -> None:
        """See the protocol."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args: None
