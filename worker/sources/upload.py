"""Uploaded files as a source: a partial walk of the paths that were sent, read by the rules of any other.

An upload says nothing about files that it does not hold, so it deletes none. Ignore files have no say: whoever
uploads a file by hand means it.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

from pipeline.errors import IngestError
from pipeline.plan import Found, WalkItem
from pipeline.policy import Policy, Skip
from pipeline.sources import FileContent
from pipeline.traits import NOTHING_DECLARED, Declared

#: Bytes of an uploaded path; nobody means a longer one.
MAX_PATH_BYTES = 1_024
#: Control characters, half surrogates, and what ends a line or paragraph: none of them can be shown in a list.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: Bad paths that one message names.
_NAMED = 5


class BadPaths(IngestError):
    """The files cannot be taken in under these paths; correct them and send all files again."""


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """One file that was sent. ``path`` is relative and ``/`` separated; ``size`` in bytes."""

    path: str
    size: int
    content: BinaryIO


class UploadSource:
    """Uploaded files in the order of their paths. It owns the files and closes them."""

    complete = False

    def __init__(self, files: Iterable[UploadedFile], policy: Policy) -> None:
        self._files = {file.path: file for file in files}
        self._policy = policy

    def close(self) -> None:
        """Close the files; safe to call twice."""
        for file in self._files.values():
            file.content.close()

    def covers(self, path: str) -> bool:
        """Return whether a file was sent for this path."""
        return path in self._files

    def walk(self) -> Iterator[WalkItem]:
        """Yield every path in code-point order, or why it is not admitted."""
        for path in sorted(self._files):
            # There is no status that would prove equal bytes: every file is read.
            yield self._judge(path) or Found(path, "")

    def read(self, path: str, declared: Declared = NOTHING_DECLARED) -> FileContent | Skip:
        """Read one file, unless its content is not admitted."""
        content = self._files[path].content
        content.seek(0)
        data = content.read(self._policy.max_file_bytes + 1)
        return self._policy.judge_content(path, data, declared) or FileContent(data, "", time.time_ns())

    def _judge(self, path: str) -> Skip | None:
        directory = path.rpartition("/")[0]
        parts = directory.split("/") if directory else []
        for depth in range(1, len(parts) + 1):
            skip = self._policy.judge_directory("/".join(parts[:depth]))
            if skip is not None:
                return replace(skip, path=path)
        return self._policy.judge_file(path, self._files[path].size)


def require_paths(paths: Iterable[str]) -> None:
    """Refuse paths that are no plain relative path, cannot be shown, or stand twice.

    Raises:
        BadPaths: The first few of them, and what is wrong with each.
    """
    seen: set[str] = set()
    faults: list[str] = []
    for path in paths:
        fault = "it was sent twice" if path in seen else _fault_of(path)
        seen.add(path)
        if fault:
            shown = path.encode("unicode_escape").decode()
            faults.append(f"{shown[:100]!r}: {fault}")
    if faults:
        more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise BadPaths(f"{BadPaths.__doc__} {'; '.join(faults[:_NAMED])}{more}")


def _fault_of(path: str) -> str:
    """Return what is wrong with a path; empty if it can be one."""
    if not path:
        return "it is empty; give every file a name"
    if any(unicodedata.category(char) in _UNPRINTABLE for char in path):
        return "it holds control characters or is not valid UTF-8"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"it has more than {MAX_PATH_BYTES:,} bytes"
    if path.startswith("/"):
        return "it is absolute; name it relative to the source"
    if any(part in {"", ".", ".."} for part in path.split("/")):
        return "it has an empty part, '.' or '..'"
    return ""
