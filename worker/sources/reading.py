"""Read a file below a directory such that no link is followed and no half-written content is returned.

Every part of a path is opened relative to its parent's descriptor and never through a link. So nobody who can write
to the tree can lead a reader out of it, and a relative path may be as long as the file system allows, whatever the
root's own length.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from pipeline import errors
from pipeline.plan import StatKey
from pipeline.policy import Policy, Skip, SkipReason
from pipeline.sources import FileContent, Vanished
from pipeline.traits import NOTHING_DECLARED, Declared

#: Never through a link, and without blocking on a pipe.
FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
DIRECTORY_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC

#: How often a file that changes under the reader is read before it is given up, and the pause in between (seconds).
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.05

#: The kernel stamps changes with a clock that stands still for up to 10 ms; within a tick a change does not show (ns).
_TICK_NS = 20_000_000

_BLOCK_BYTES = 1024 * 1024

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})


def stat_key(status: os.stat_result) -> StatKey:
    """Return what identifies a file's state without reading it."""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}:{status.st_dev}"


def open_parent(root_fd: int, path: bytes) -> tuple[int, bytes]:
    """Open the directory of a path relative to ``root_fd`` for lookups; return it with the path's last part.

    Raises:
        ValueError: The path is not in its plain form, or leads out of the root.
        OSError: A directory on the way is gone, is a link (ENOTDIR) or may not be searched.
    """
    *directories, name = parts = path.split(b"/")
    if any(part in (b"", b".", b"..") for part in parts):
        raise ValueError(f"{path!r} is no plain relative path")
    fd = os.open(b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root_fd)
    for directory in directories:
        try:
            below = os.open(directory, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd, name


def read_up_to(fd: int, limit: int) -> bytes:
    """Read at most ``limit`` bytes from where the descriptor stands."""
    blocks = []
    while limit > 0 and (block := os.read(fd, min(limit, _BLOCK_BYTES))):
        blocks.append(block)
        limit -= len(block)
    return b"".join(blocks)


def read_file(root_fd: int, path: str, policy: Policy, declared: Declared = NOTHING_DECLARED) -> FileContent | Skip:
    """Read the file at ``path`` (relative, ``/`` separated) below an open directory.

    A path that is no regular file any more is a `Skip`, and so is content that the policy does not admit.

    Raises:
        Vanished: There is no such file any more.
        Unreadable: The file cannot be read, or it changes whenever it is read.
    """
    try:
        parent_fd, name = open_parent(root_fd, path.encode(errors="surrogateescape"))
        try:
            return _read_entry(parent_fd, name, path, policy, declared)
        finally:
            os.close(parent_fd)
    except OSError as exc:
        if exc.errno in _GONE:
            raise Vanished(path) from exc
        raise errors.Unreadable(explain(exc)) from exc


def explain(exc: OSError) -> str:
    """Say what went wrong with a file or directory, and what to do."""
    if isinstance(exc, PermissionError):
        return "permission denied; make it readable for the user who ingests, or exclude it in .gitignore."
    return f"{exc.strerror or type(exc).__name__}; check the file system and run the ingestion again."


def explain_missing(path: str, exc: OSError | ValueError) -> str:
    """Say why a path that a user named is no source."""
    if isinstance(exc, FileNotFoundError):
        why = "it does not exist; check its spelling."
    elif isinstance(exc, NotADirectoryError):
        why = "a part of it is a file and no directory; check its spelling."
    elif isinstance(exc, OSError):
        why = explain(exc)
    else:
        why = "it can be no path; check its spelling."
    return f"{path!r} cannot be ingested: {why}"


def _read_entry(parent_fd: int, name: bytes, path: str, policy: Policy, declared: Declared) -> FileContent | Skip:
    # Opening a device can do something to it, so that it is no device is known first.
    refused = _refuse_kind(path, os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode)
    if refused is not None:
        return refused
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        content = _read_once(parent_fd, name, path, policy, declared)
        if content is not None:
            return content
    raise errors.Unreadable("the file changes while it is read; run the ingestion again when it is quiet.")


def _read_once(parent_fd: int, name: bytes, path: str, policy: Policy, declared: Declared) -> FileContent | Skip | None:
    """Read the file once; None: it changed meanwhile."""
    observed_at_ns = time.time_ns()
    fd = os.open(name, FILE_FLAGS, dir_fd=parent_fd)
    try:
        before = os.fstat(fd)
        refused = _refuse_kind(path, before.st_mode)
        if refused is not None:
            return refused
        data = read_up_to(fd, policy.max_file_bytes + 1)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    is_still = stat_key(before) == stat_key(after) and len(data) == after.st_size
    if len(data) <= policy.max_file_bytes and (not is_still or _is_fresh(after, observed_at_ns)):
        return None
    return policy.judge_content(path, data, declared) or FileContent(data, stat_key(after), observed_at_ns)


def _is_fresh(status: os.stat_result, observed_at_ns: int) -> bool:
    """Return whether the file may have changed during the reading without its status saying so.

    A status change in the future comes from another machine's clock and says nothing about this.
    """
    return observed_at_ns - _TICK_NS < status.st_ctime_ns <= time.time_ns()


def _refuse_kind(path: str, mode: int) -> Skip | None:
    if stat.S_ISREG(mode):
        return None
    return Skip(path, SkipReason.SYMLINK if stat.S_ISLNK(mode) else SkipReason.NOT_A_FILE)
