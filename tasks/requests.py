"""What a worker's parent process does when a child ends in the middle of a stage: say so in the ledger at once.

The child cannot do it any more, and without a report its end would look like that of a worker that was killed.
This runs in the parent, which forks: it keeps no connection.
"""

from __future__ import annotations

import re
import socket
from typing import Any
from uuid import UUID

import structlog
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
        """Report a stage that hung until its hard time limit."""
        if not soft:
            self._report(ran_out_of_time(timeout, self.app.witness.trace_of(self.worker_pid)))
        super().on_timeout(soft, timeout)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Report a child that ended in the middle; what it raised it has recorded itself."""
        if isinstance(exc_info.exception, WorkerLostError):
            self._report(self._judged(str(exc_info.exception)))
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)

    def _judged(self, words: str) -> Crash:
        found = _ENDED.search(words)
        number = int(found[2]) if found else 0
        trace = self.app.witness.trace_of(self.worker_pid)
        if found and found[1] == "signal":
            grown = self.app.witness.out_of_memory_kills() > self._out_of_memory_before
            return killed_by(number, trace, out_of_memory=grown)
        return exited_with(number, trace)

    def _report(self, crash: Crash) -> None:
        # Children that this worker ends because it is told to stop say nothing about their documents.
        if state.should_terminate or self.worker_pid is None:
            return
        slice_id, stage, seq = self.args
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
