"""Walk a directory in the exact order of its paths, and know whether all of it was seen.

Order is that of the bytes of the relative paths, which for UTF-8 is code-point order and PostgreSQL's ``COLLATE "C"``:
the entries of each directory are sorted with ``/`` behind the names of directories, and the walk goes depth first.
Memory holds the entries of the directories on the way to the current file, never the whole tree. Links are not
followed. The root alone may be a link; it is resolved once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from pipeline.plan import Found, Unreadable, WalkItem
from pipeline.policy import MAX_PATH_BYTES, Policy, Skip, SkipReason
from pipeline.sources import FileContent
from pipeline.traits import NOTHING_DECLARED, Declared
from worker.sources import SourceMissing
from worker.sources.reading import DIRECTORY_FLAGS, explain, explain_missing, open_parent, read_file, stat_key
from worker.sources.rules import DirectoryRules, top_rules
from worker.sources.symlinks import reason_for_link


@dataclass(frozen=True, slots=True)
class _Directory:
    """A directory to list. ``prefix`` is empty for the root, else its path with ``/`` at the end."""

    prefix: bytes
    rules: DirectoryRules


_Entry: TypeAlias = WalkItem | _Directory


class DirectorySource:
    """The files below one directory. ``only`` (a relative path) confines the walk to that file or directory.

    A confined walk is never complete. An unreadable directory, or one that vanishes under the walk, makes it
    incomplete as well; an unreadable file does not.
    """

    def __init__(self, root: Path, policy: Policy, *, only: str = "") -> None:
        """Open the root.

        Raises:
            SourceMissing: The root, or ``only`` below it, is not there or cannot be read.
        """
        self._policy = policy
        self._saw_all = self.complete = False
        try:
            self._only = b"/".join(part for part in os.fsencode(only).split(b"/") if part not in (b"", b"."))
            self._root = os.path.realpath(root, strict=True)
            self._root_fd = os.open(self._root, DIRECTORY_FLAGS)
        except (OSError, ValueError) as exc:
            raise SourceMissing(explain_missing(str(root), exc)) from exc
        if self._only:
            self._require(only)

    def __enter__(self) -> DirectorySource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the root; safe to call twice."""
        if self._root_fd >= 0:
            os.close(self._root_fd)
            self._root_fd = -1

    def covers(self, path: str) -> bool:
        """Return whether the walk looks at this path at all."""
        name = os.fsencode(path)
        return not self._only or name == self._only or name.startswith(self._only + b"/")

    def walk(self) -> Iterator[WalkItem]:
        """Yield every file and every skipped path, in order. `complete` is known when this ends."""
        self.complete = False
        self._saw_all = not self._only
        stack = [iter(self._list(_Directory(b"", top_rules(Path(self._root)))))]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif isinstance(entry, _Directory):
                stack.append(iter(self._list(entry)))
            else:
                yield entry
        self.complete = self._saw_all

    def read(self, path: str, declared: Declared = NOTHING_DECLARED) -> FileContent | Skip:
        """Read one file that the walk found, unless its content is not admitted.

        Raises:
            Vanished: It is gone.
            Unreadable: It cannot be read, or it changes while it is read.
        """
        return read_file(self._root_fd, path, self._policy, declared)

    def _require(self, only: str) -> None:
        try:
            parent_fd, name = open_parent(self._root_fd, self._only)
            try:
                os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
            finally:
                os.close(parent_fd)
        except (OSError, ValueError) as exc:
            self.close()
            raise SourceMissing(explain_missing(f"{only} in {self._root}", exc)) from exc

    def _list(self, directory: _Directory) -> list[_Entry]:
        try:
            fd = self._open(directory.prefix)
        except OSError as exc:
            return [self._lost(directory, type(exc).__name__, explain(exc))]
        try:
            entries = self._entries(directory, fd)
            is_gone = os.fstat(fd).st_nlink == 0
        except OSError as exc:
            return [self._lost(directory, type(exc).__name__, explain(exc))]
        finally:
            os.close(fd)
        if is_gone:
            return [self._lost(directory, "Vanished", "the directory was removed during the walk; ingest it again.")]
        return entries

    def _open(self, prefix: bytes) -> int:
        if not prefix:
            return os.open(b".", DIRECTORY_FLAGS, dir_fd=self._root_fd)
        parent_fd, name = open_parent(self._root_fd, prefix[:-1])
        try:
            return os.open(name, DIRECTORY_FLAGS, dir_fd=parent_fd)
        finally:
            os.close(parent_fd)

    def _lost(self, directory: _Directory, error: str, message: str) -> Unreadable:
        self._saw_all = False
        return Unreadable(directory.prefix.decode() or "./", error, message)

    def _entries(self, directory: _Directory, fd: int) -> list[_Entry]:
        here = _Directory(directory.prefix, directory.rules.within(directory.prefix, fd))
        wanted = self._wanted(directory.prefix)
        keyed: list[tuple[bytes, _Entry]] = []
        with os.scandir(fd) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if wanted is not None and name != wanted:
                    continue
                if entry.name in here.rules.faults:
                    keyed.append((name, here.rules.faults[entry.name]))
                elif entry.is_dir(follow_symlinks=False):
                    keyed.append((name + b"/", self._judge_directory(here, name)))
                elif (judged := self._judge_file(here, name, entry, fd)) is not None:
                    keyed.append((name, judged))
        keyed.sort(key=itemgetter(0))
        return [judged for _, judged in keyed]

    def _wanted(self, prefix: bytes) -> bytes | None:
        """Return the one entry that a confined walk wants of a directory on its way; None: all of them."""
        if not self._only or not self._only.startswith(prefix):
            return None
        return self._only[len(prefix) :].partition(b"/")[0]

    def _judge_directory(self, parent: _Directory, name: bytes) -> _Entry:
        path = parent.prefix + name
        shown = _shown(path)
        if isinstance(shown, Skip):
            return Skip(f"{shown.path}/", shown.reason)
        excluded = self._policy.judge_directory(shown)
        if excluded is not None:
            return excluded
        if parent.rules.ignores(name, is_directory=True):
            return Skip(f"{shown}/", SkipReason.GITIGNORED)
        return _Directory(path + b"/", parent.rules.below(name))

    def _judge_file(self, parent: _Directory, name: bytes, entry: os.DirEntry[str], fd: int) -> WalkItem | None:
        """Judge what is no directory by its path and its stat; None: it vanished meanwhile."""
        path = parent.prefix + name
        shown = _shown(path)
        if isinstance(shown, Skip):
            return shown
        if parent.rules.ignores(name, is_directory=False):
            return Skip(shown, SkipReason.GITIGNORED)
        return self._judge_status(path, shown, entry, fd, parent.rules.declared(name))

    def _judge_status(
        self, path: bytes, shown: str, entry: os.DirEntry[str], fd: int, declared: Declared
    ) -> WalkItem | None:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as exc:
            return Unreadable(shown, type(exc).__name__, explain(exc))
        if stat.S_ISREG(status.st_mode):
            skip = self._policy.judge_file(shown, status.st_size, declared)
            return skip or Found(shown, stat_key(status), declared)
        if stat.S_ISLNK(status.st_mode):
            return Skip(shown, reason_for_link(self._root, path, fd))
        return Skip(shown, SkipReason.NOT_A_FILE)


def _shown(path: bytes) -> str | Skip:
    """Return the path as text, or why it can be none."""
    try:
        shown = path.decode()
    except UnicodeDecodeError:
        return Skip(path.decode(errors="backslashreplace"), SkipReason.UNDECODABLE_PATH)
    return shown if len(path) <= MAX_PATH_BYTES else Skip(shown, SkipReason.PATH_TOO_LONG)
