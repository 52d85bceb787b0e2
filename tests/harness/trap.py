"""A trap for a process of ours: at which place it is caught, and who was. ``harness.sabotage`` puts the places in.

Tests import this and not that, for importing the product's application makes it the current one of the test's process.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

#: The variable that names the trap file.
VARIABLE = "SABOTAGE_FILE"
#: Where a stage's task has committed and sent its next link, and is not acknowledged yet.
PUBLISHED = "message published"


class Trap:
    """What a test sets; ``sprung_by`` is the pid of the process that was caught."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._caught = file.with_suffix(".caught")

    def set(self, place: str, number: int = signal.SIGKILL) -> None:
        """Catch the next process that passes the place."""
        self._caught.unlink(missing_ok=True)
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{place}\n{int(number)}")
        draft.rename(self._file)

    @property
    def sprung_by(self) -> int | None:
        """The process that was caught; None while there is none."""
        return int(self._caught.read_text()) if self._caught.exists() else None

    def spring(self, place: str) -> None:
        """Catch this process if the trap is set here and no other process is quicker."""
        try:
            wanted, number = self._file.read_text().splitlines()
            if wanted != place:
                return
            mine = self._file.with_suffix(f".{os.getpid()}")
            self._file.rename(mine)
        except FileNotFoundError:
            return
        mine.write_text(str(os.getpid()))
        mine.rename(self._caught)
        os.kill(os.getpid(), int(number))
