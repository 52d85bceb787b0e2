"""What a worker's parent process does when a child ends in the middle of a stage: say so in the ledger at once.

The child cannot do it any more, and without a report its end would look like that of a worker that was killed.
This runs in the parent, which forks: it keeps no connection.
"""

from __future__ import annotations

import os
import re
import socket
from typing import Any
from uuid import UUID

import structlog
from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import WorkerLostError
from celery.worker import state
from celery.worker.request import Request

from pipeline.crashes import Crash, exited_with, killed_by, ran_out_of_time
from pipeline.errors import IngestError
from pipeline.types import Stage, Token

log = structlog.get_logger(__name__)

#: How billiard tells a child's end; it says it in no other way than in words (`billiard.common.human_status`).
_ENDED = re.compile(r"exited prematurely: (signal|exitcode) (\d+)")


class StageRequest(Request):  # type: ignore[misc]  # celery ships no types
    """A stage's message in the parent process."""

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        """Remember how often memory had run out when the stage began."""
        self._out_of_memory_before = self.app.witness.out_of_memory_kills()
        super().on_accepted(pid, time_accepted)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Report a stage that hung until its hard time limit, unless its process ended before and nobody noticed."""
        if not soft:
            ended = _end_of(self.worker_pid)
            trace = self.app.witness.trace_of(self.worker_pid)
            self._report(ran_out_of_time(timeout, trace) if ended is None else self._judged(ended, trace))
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Report a child that ended in the middle; what it raised it has recorded itself."""
        exc = exc_info.exception
        # What comes from another process is wrapped together with its traceback.
        exc = exc.exc if isinstance(exc, ExceptionWithTraceback) else exc
        if isinstance(exc, WorkerLostError):
            self._report(self._judged(_status_in(str(exc)), self.app.witness.trace_of(self.worker_pid)))
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def _judged(self, status: int, trace: str) -> Crash:
        if status < 0:
            grown = self.app.witness.out_of_memory_kills() > self._out_of_memory_before
            return killed_by(-status, trace, out_of_memory=grown)
        return exited_with(status, trace)

    def _report(self, crash: Crash) -> None:
        # Children that this worker ends because it is told to stop say nothing about their documents.
        if state.should_terminate or self.worker_pid is None:
            return
        slice_id, stage, seq = self.args[:3]
        token = Token(UUID(slice_id), Stage(stage), seq)
        worker = f"{socket.gethostname()}:{self.worker_pid}"
        try:
            with self.app.passing_context() as context:
                taken_back = context.ledger.report_crash(token, worker, crash, context.policy.retry_seconds)
        except IngestError as exc:
            log.warning("crash_not_reported", error=crash.error, reason=str(exc))
            return
        log.warning(
            "worker_process_ended",
            slice_id=slice_id,
            stage=stage,
            worker=worker,
            error=crash.error,
            message=crash.message,
            evidence=crash.is_evidence,
            taken_back=taken_back,
        )


def _status_in(words: str) -> int:
    """Return the exit code that billiard's words tell, or the signal as a negative number."""
    found = _ENDED.search(words)
    if found is None:
        return 0
    return -int(found[2]) if found[1] == "signal" else int(found[2])


def _end_of(pid: int | None) -> int | None:
    """Return how a child ended that the pool has not looked after yet, as `_status_in` does; None: it has not."""
    try:
        ended = os.waitid(os.P_PID, pid or 0, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except OSError:
        return None
    if ended is None:
        return None
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
