"""See how much room there is where a directory is, or would be made."""

from __future__ import annotations

import os
from pathlib import Path

from worker.doctor.disk import DiskSpace
from worker.doctor.findings import Silence


def look(directory: Path) -> DiskSpace | Silence:
    """Return the room at the directory, or at its nearest parent that exists."""
    try:
        place = next((path for path in (directory, *directory.parents) if path.exists()), Path("/"))
        found = os.statvfs(place)
    except OSError as exc:
        return Silence(
            f"{directory} cannot be looked at: {exc.strerror}", "correct its permissions, or mount it again."
        )
    return DiskSpace(
        path=str(place),
        free=found.f_bavail * found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        free_files=found.f_favail,
        files=found.f_files,
        is_writable=os.access(place, os.W_OK),
    )
