"""Show that a process works, not merely that it exists: the age of a file says when it last did something.

A worker touches it when its heartbeats go out, for which its loop must turn and Redis must answer; beat with every
message that Redis took; the dispatcher with every round over the ledger.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from celery.utils.dispatch import Signal

from pipeline.errors import MisconfiguredError


@dataclass(frozen=True, slots=True)
class LifeSign:
    """The file that a process touches while it works; None: there is none."""

    path: Path | None = None

    def show(self) -> None:
        """Touch the file.

        Raises:
            MisconfiguredError: It cannot be written.
        """
        if self.path is None:
            return
        try:
            self.path.touch()
        except OSError as exc:
            raise MisconfiguredError(
                f"MOBIUS_LIVENESS_FILE: {self.path} cannot be written ({exc.strerror}); name a file in a writable "
                f"directory, or unset it."
            ) from exc

    def show_at(self, signal: Signal) -> None:
        """Touch the file whenever this process sends the signal."""
        if self.path is not None:
            signal.connect(self._on_signal, weak=False)

    def show_at_pulse(self, signal: Signal, within: float) -> None:
        """Touch the file at a signal that comes at most ``within`` seconds after the one before.

        Celery says that a heartbeat is sent when it is about to send it; only the next one shows that it went out.
        """
        last = -math.inf

        def on_signal(**_facts: Any) -> None:
            nonlocal last
            before, last = last, time.monotonic()
            if last - before <= within:
                self.show()

        if self.path is not None:
            signal.connect(on_signal, weak=False)

    def _on_signal(self, **_facts: Any) -> None:
        self.show()
