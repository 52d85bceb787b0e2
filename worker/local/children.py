"""Start, watch and end the processes of one supervisor.

Every child leads a session of its own, is told by the kernel to stop when the supervisor dies, and writes to its own
log file. What its own signal does not end is killed with all that it started.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from worker.local import lifecycle, logs, privileges, probes, processes
from worker.local.lifecycle import ChildState, Life
from worker.local.specs import ChildSpec
from worker.local.state import ChildRecord
from worker.local.urls import masked

#: The directory in which ``celeryconfig.py`` and our packages lie.
ROOT = Path(__file__).resolve().parents[2]

#: The exit code that shells use for a command that cannot be run.
_CANNOT_RUN = 127


@dataclass(slots=True)
class Child:
    """One process of the stack over all its lives. ``asked_at``: when it was told to end (monotonic seconds)."""

    spec: ChildSpec
    log: Path
    life: Life = field(default_factory=Life)
    popen: subprocess.Popen[bytes] | None = None
    process: processes.Process | None = None
    log_start: int = 0
    asked_at: float | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it has a process that we have not seen ending."""
        return self.process is not None

    def start(self, environment: Mapping[str, str], now: float) -> None:
        """Start its process; one that cannot be started has ended at once."""
        self.life = lifecycle.begun(self.life, now)
        try:
            self.popen = self._spawn(environment)
        except (OSError, subprocess.SubprocessError) as exc:
            life = lifecycle.ended(self.life, _CANNOT_RUN, now, one_shot=self.spec.one_shot, stopping=False)
            self.life = replace(life, message=f"cannot be started ({exc}): {life.message}")
        else:
            pid = self.popen.pid
            self.process = processes.find(pid) or processes.Process(pid, started=0)

    def _spawn(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        logs.bound(self.log)
        with self.log.open("ab") as out:
            self.log_start = out.tell()
            return subprocess.Popen(
                self.spec.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.spec.cwd or ROOT,
                env=environment,
                start_new_session=True,
                preexec_fn=privileges.entry(self.spec.run_as, self.spec.stop_signal),  # noqa: PLW1509  there are no threads
            )

    def look(self, now: float) -> None:
        """See whether it became ready."""
        if not self.is_alive or self.spec.one_shot or self.life.state is not ChildState.STARTING:
            return
        if probes.is_ready(self.spec.probe, now - self.life.since, self.log, self.log_start):
            self.life = lifecycle.became_ready(self.life)

    def ended(self, code: int, now: float, *, stopping: bool) -> None:
        """Take note that its process is gone. Where it is not to be tried again, say what its log says."""
        if self.popen is not None:
            self.popen.returncode = code
        self.process = self.asked_at = None
        self.life = lifecycle.ended(self.life, code, now, one_shot=self.spec.one_shot, stopping=stopping)

    def ask_to_end(self, now: float) -> None:
        """Send its stop signal, once."""
        if self.process is not None and self.asked_at is None:
            self.asked_at = now
            processes.send(self.process, self.spec.stop_signal)

    def kill_if_overdue(self, now: float) -> None:
        """Kill it, with all that it started, if it was asked to end longer ago than its grace."""
        if self.process is None or self.asked_at is None or now - self.asked_at < self.spec.grace_seconds:
            return
        kill([*processes.descendants([self.process.pid]), self.process])

    def record(self) -> ChildRecord:
        """Return what stack.json shows of it."""
        life, process = self.life, self.process
        return ChildRecord(
            name=self.spec.name,
            state=life.state,
            pid=process.pid if process else None,
            started=process.started if process else 0,
            url=masked(self.spec.url),
            restarts=life.restarts,
            message=self._message(),
            log=str(self.log),
            stop_signal=self.spec.stop_signal,
            grace_seconds=self.spec.grace_seconds,
        )

    def _message(self) -> str:
        if self.life.state is not ChildState.FAILED:
            return self.life.message
        return f"{self.life.message}; {self.log} ends with:\n{logs.tail(self.log, self.log_start)}"


def environment_of(spec: ChildSpec, services: Mapping[str, str], stack_id: str) -> dict[str, str]:
    """Return a child's environment; a bare one sees nothing of the operator's."""
    base = {"PATH": os.defpath, "LC_ALL": "C"} if spec.bare else {**os.environ, **services}
    return {**base, **spec.env, processes.MARK: stack_id}


def reap() -> Iterator[tuple[int, int]]:
    """Yield pid and exit code of every child that ended, orphans that we adopted included."""
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, os.waitstatus_to_exitcode(status)


def kill(victims: list[processes.Process]) -> None:
    """Kill these processes."""
    for process in victims:
        processes.send(process, signal.SIGKILL)
