"""Keep the children's log files bounded, and quote their last lines where somebody has to read them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

#: A log that grew beyond this is cut; the part before lies in NAME.log.1 (bytes).
LIMIT_BYTES = 16 * 1024 * 1024

#: No more than this is read to find the last lines (bytes).
_TAIL_BYTES = 8192


def bound(log: Path, limit: int = LIMIT_BYTES) -> None:
    """Move a log's content to ``.1`` if it is larger than ``limit`` bytes. Its writer may go on: it appends.

    Lines written between the copy and the cut are lost, as with logrotate's copytruncate.
    """
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def tail(log: Path, start: int = 0, lines: int = 8) -> str:
    """Return the last lines of a log that were written at or after byte ``start``."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            # A log that was cut meanwhile is shorter than where we were.
            file.seek(max(size - _TAIL_BYTES, start if start <= size else 0))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
