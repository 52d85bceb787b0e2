"""A worker process's memory: how much it may have, and whether the kernel took a process for want of it.

A limit of our own makes memory run out as an error inside the process, which says which document needed it. Without
one the kernel kills a process from outside; its count of such kills in our own cgroup is all that tells them apart.
"""

from __future__ import annotations

import resource
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OURS = Path("/proc/self/cgroup")


def limit_memory(limit: int) -> None:
    """Let this process have at most so many bytes of memory of its own; 0 is no limit."""
    if limit:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def out_of_memory_kills(cgroups: Path = _CGROUPS, ours: Path = _OURS) -> int:
    """Return how many processes of this worker's cgroup the kernel killed for want of memory; 0 where it says none."""
    try:
        line = next(line for line in ours.read_text().splitlines() if line.startswith("0::"))
        events = (cgroups / line.removeprefix("0::").strip("/") / "memory.events").read_text()
    except (OSError, StopIteration):
        return 0
    counts = dict(line.split() for line in events.splitlines())
    return int(counts.get("oom_kill", 0))
