"""Read from the kernel what processes used: CPU seconds and peak memory of whole process trees, by name.

A tree's CPU time is that of its live processes and of all their children that ended and were waited for, so a worker
process that was replaced is counted. Linux only: it is all in /proc.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
#: Positions in /proc/PID/stat behind the command's closing bracket.
_PARENT, _CPU = 1, slice(11, 15)

Trees = Mapping[str, int]


def require_proc() -> None:
    """Return if this system can be measured.

    Raises:
        SystemExit: It has no /proc.
    """
    if not (_PROC / "self" / "stat").exists():
        raise SystemExit("benchmarks: CPU time and memory are read from /proc, which this system lacks; use Linux.")


def cpu_seconds(trees: Trees) -> dict[str, float]:
    """Return the CPU seconds that each tree, given by the pid of its root, has used so far."""
    stats = _stats()
    return {
        name: sum(sum(map(int, stats[pid][_CPU])) for pid in _tree(root, stats)) / _TICKS
        for name, root in trees.items()
    }


def peak_megabytes(trees: Trees) -> dict[str, float]:
    """Return the highest resident size since `reset_peaks` that one process of each tree had (MB)."""
    stats = _stats()
    return {
        name: max((_status_kb(pid, "VmHWM") for pid in _tree(root, stats)), default=0) / 1024
        for name, root in trees.items()
    }


def reset_peaks(trees: Trees) -> None:
    """Forget the peaks until now."""
    stats = _stats()
    for root in trees.values():
        for pid in _tree(root, stats):
            with contextlib.suppress(OSError):
                (_PROC / str(pid) / "clear_refs").write_text("5")


def difference(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    """Return how much each value grew."""
    return {name: round(value - before.get(name, 0.0), 3) for name, value in after.items()}


def _stats() -> dict[int, list[str]]:
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                found[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
    return found


def _tree(root: int, stats: Mapping[int, list[str]]) -> list[int]:
    tree = [root] if root in stats else []
    for pid in tree:
        tree += [child for child, fields in stats.items() if int(fields[_PARENT]) == pid]
    return tree


def _status_kb(pid: int, field: str) -> int:
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
    return 0
