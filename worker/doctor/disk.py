"""Decide whether a file system has room left: for bytes, and for files."""

from __future__ import annotations

from dataclasses import dataclass

from worker.doctor.findings import Finding, Silence, ok, problem, silent, skipped, warning

GIB = 1024**3
MIB = 1024**2

#: Files that a file system must still take; below that every write is about to fail.
_LEAST_FILES = 1000
#: A share of free bytes below this is worth a look, unless there is more than ``_PLENTY`` anyway.
_SHARE = 0.05
_PLENTY = 50 * GIB


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Room of the file system that holds ``path``, for us. ``files``: 0 where it has no limit of files."""

    path: str
    free: int
    total: int
    free_files: int
    files: int
    is_writable: bool


def judge_disk(name: str, seen: DiskSpace | Silence, least: int) -> Finding:
    """Judge a file system: less than ``least`` bytes is a problem, less than five times that worth a look."""
    if isinstance(seen, Silence):
        return silent(seen, name)[0]
    share = seen.free / seen.total if seen.total else 0.0
    found = f"{amount(seen.free)} free ({share:.0%}) at {seen.path}"
    more = "make room on that file system, or move the directory to a larger one."
    if not seen.is_writable:
        return problem(name, f"{seen.path} cannot be written to", "correct its permissions, or name another directory.")
    if seen.free < least:
        return problem(name, found, more)
    if seen.files and seen.free_files < _LEAST_FILES:
        return problem(
            name, f"room for {seen.free_files} more files at {seen.path}", "delete files there that are not needed."
        )
    if seen.free < 5 * least or (share < _SHARE and seen.free < _PLENTY):
        return warning(name, found, more)
    return ok(name, found)


def judge_home(seen: DiskSpace | Silence, least: int, *, is_used: bool) -> Finding:
    """Judge where the local stack keeps its state; ``is_used``: there is one, or one would be needed."""
    name = "disk.home"
    if not is_used:
        return skipped(name, "no local stack runs and none is needed: all services are your own")
    return judge_disk(name, seen, least)


def amount(size: int) -> str:
    """Return bytes as people read them."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
