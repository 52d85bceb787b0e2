"""Where a worker process was when it crashed or hung: written by the process itself, read by its parent.

Python's fault handler writes it from C, so it works in a segmentation fault and while C code keeps the interpreter
busy. Each process has a file of its own, in a directory that lives as long as the worker.
"""

from __future__ import annotations

import faulthandler
import os
import shutil
import tempfile
from io import FileIO
from pathlib import Path

from worker.observability.memory import out_of_memory_kills

#: Bytes of a trace that are read; the fault handler writes the innermost frames first.
_LENGTH = 8_000
#: What the directories' names begin with; the id of the worker's process follows.
_PREFIX = "mobius-traces-"


class FaultWitness:
    """Implements ``tasks.witness.Witness``; without a place to write to there are no traces."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._file: FileIO | None = None

    def open(self) -> None:
        """Make the place for traces; in the parent, before it forks."""
        try:
            self._directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        except OSError:
            self._directory = None
            return
        _remove_abandoned(self._directory.parent)

    def close(self) -> None:
        """Remove that place; safe to call twice."""
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None

    def begin_process(self) -> None:
        """Let this process leave a trace when it crashes; in the child, after it was forked."""
        if self._directory is None:
            return
        try:
            self._file = FileIO(self._directory / str(os.getpid()), "w")
        except OSError:
            return
        faulthandler.enable(self._file)

    def begin_stage(self, seconds: float) -> None:
        """See the port."""
        if self._file is not None:
            # What an earlier stage left that was slow, but ended.
            self._file.seek(0)
            self._file.truncate()
            faulthandler.dump_traceback_later(seconds, file=self._file)

    def end_stage(self) -> None:
        """See the port."""
        if self._file is not None:
            faulthandler.cancel_dump_traceback_later()

    def trace_of(self, pid: int | None) -> str:
        """See the port."""
        if self._directory is None or pid is None:
            return ""
        path = self._directory / str(pid)
        try:
            with path.open("rb") as file:
                trace = file.read(_LENGTH).decode(errors="replace")
            path.unlink()
        except OSError:
            return ""
        return trace

    def out_of_memory_kills(self) -> int:
        """See the port."""
        return out_of_memory_kills()


def _remove_abandoned(place: Path) -> None:
    """Remove what workers left that were killed; somebody else's directory cannot be removed, and stays."""
    if not Path("/proc/self").exists():
        return  # nobody can tell here who lives
    for directory in place.glob(f"{_PREFIX}*-*"):
        pid = directory.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            shutil.rmtree(directory, ignore_errors=True)
