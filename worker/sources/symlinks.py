"""Tell why a symbolic link is not followed, by where it leads."""

from __future__ import annotations

import errno
import os

from pipeline.policy import SkipReason

_BROKEN = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG})


def reason_for_link(root: str, path: bytes, dir_fd: int) -> SkipReason:
    """Classify the link at ``path`` (relative to ``root``, an absolute path without links).

    ``dir_fd`` is the open directory that holds the link.
    """
    try:
        os.stat(path.rpartition(b"/")[2], dir_fd=dir_fd)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return SkipReason.SYMLINK_LOOP
        if exc.errno in _BROKEN:
            return SkipReason.SYMLINK_BROKEN
        # Its target may not be looked at; where it would be still tells whether it lies in the source.
    top = os.fsencode(root)
    link = top.rstrip(b"/") + b"/" + path
    target = os.path.realpath(link)
    if not _is_within(target, top):
        return SkipReason.SYMLINK_OUTSIDE
    return SkipReason.SYMLINK_LOOP if _is_within(link, target) else SkipReason.SYMLINK


def _is_within(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory.rstrip(b"/") + b"/")
