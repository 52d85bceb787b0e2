"""Ask several probes at once; none of them can hang, hide or end the others.

Threads are daemons: one that waits for a dead name server must not keep the process from ending.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from worker.doctor.findings import Silence, one_line

T = TypeVar("T")


class Question(Generic[T]):
    """A probe that runs in its own thread from now on."""

    def __init__(self, subject: str, probe: Callable[[], T | Silence]) -> None:
        self._subject = subject
        self._probe = probe
        # None may be an answer.
        self._answers: list[T | Silence] = []
        self._thread = threading.Thread(target=self._ask, name=f"doctor-{subject}", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self._answers.append(self._probe())
        except Exception as exc:  # noqa: BLE001  it is recorded: what a probe did not foresee is a finding
            self._answers.append(_unforeseen(self._subject, exc))

    def answer(self, until: float) -> T | Silence:
        """Return what the probe saw, or that it saw nothing until then (``time.monotonic``)."""
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._answers:
            return self._answers[0]
        return Silence(
            f"{self._subject} gave no answer in time",
            "check that its host name resolves, that the host is up and that no firewall drops packets to it.",
        )


def _unforeseen(subject: str, exc: Exception) -> Silence:
    return Silence(
        f"looking at {subject} failed with {type(exc).__name__}: {one_line(str(exc))}",
        "if the message does not tell what is wrong, this is a fault of mobius doctor: report it.",
    )
