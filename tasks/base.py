"""All policy of a stage task: claim, lease, log context, hand-back, and the end of a chain.

A task's message is (slice, stage, seq). Only a message whose token is current may work; any other ends its chain
without a trace in the ledger. What a stage raises decides what happens to its slice:

- ``TransientError``: handed back, retried after a delay, no attempt burnt;
- ``MisconfiguredError``: handed back for longer, the task fails where operators look;
- ``ClaimLost``: somebody else has the slice; nothing of ours was written;
- anything else: a crash. It counts as an attempt, is recorded on the slice, and the task fails.

A killed process runs none of this: its lease expires and the sweep brings the slice back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from celery import Celery, Task
from celery.exceptions import Reject

from pipeline.chunk import ChunkBudget
from pipeline.errors import ClaimLost, MisconfiguredError, RateLimited, ServiceUnavailable, TransientError
from pipeline.ports import Embedder, Index, Ledger
from pipeline.reconcile_ports import ReconcileContext
from pipeline.types import Claim, Stage, Token

log = structlog.get_logger(__name__)

#: Seconds before a slice that met a configuration fault is tried again.
MISCONFIGURED_DELAY = 30.0
#: Longest delay between two attempts of a crashing slice (s).
MAX_DELAY = 60.0


@dataclass(frozen=True, slots=True)
class StagePolicy:
    """The times that govern leases and retries, in seconds, and the size of the dispatch window, in slices."""

    lease_seconds: float
    heartbeat_seconds: float
    retry_seconds: float
    dispatch_timeout_seconds: float
    dispatch_window: int
    #: How long a claim may be extended in all: the hard time limit of the stage's task.
    deadlines: dict[Stage, float]


@dataclass(frozen=True, slots=True)
class StageContext:
    """What the stages work with: ports and values, made once per process."""

    ledger: Ledger
    index: Index
    embedder: Embedder
    policy: StagePolicy
    budget: ChunkBudget
    #: The versions and the model that chunks are made with; recorded on documents.
    versions: str
    #: Who works: ``host:pid``.
    worker: str
    #: What reconciliations work with, in the processes that run them. There is no embedder in it.
    reconcile: ReconcileContext | None = None


class IngestApp(Celery):  # type: ignore[misc]  # celery ships no types
    """Celery with one stage context per process, made at first use and never shared across a fork."""

    def __init__(self, *args: Any, build_context: Callable[[], StageContext], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._build_context = build_context
        self._contexts: dict[int, StageContext] = {}

    @property
    def stage_context(self) -> StageContext:
        """This process's context."""
        pid = os.getpid()
        if pid not in self._contexts:
            self._contexts = {pid: self._build_context()}
        return self._contexts[pid]


class StageTask(Task):  # type: ignore[misc]  # celery ships no types
    """A stage's task. ``run(context, claim)`` does the work and commits it; counts are its result."""

    abstract = True
    # Celery would check a message's arguments against ``run``, but they are those of ``__call__``.
    typing = False

    def __call__(self, slice_id: str, stage: str, seq: int) -> dict[str, int]:
        """Claim the message's slice and run the stage under a heartbeat."""
        token = Token(UUID(slice_id), Stage(stage), seq)
        context: StageContext = self.app.stage_context
        with structlog.contextvars.bound_contextvars(slice_id=slice_id, stage=stage, task_id=token.task_id):
            claim = context.ledger.claim(token, context.worker, context.policy.lease_seconds)
            if claim is None:
                log.info("stale_message_dropped", seq=seq)
                raise Reject("stale or duplicate message", requeue=False)
            with structlog.contextvars.bound_contextvars(run_id=str(claim.run_id)), Heartbeat(context, claim):
                return self._run_claimed(context, claim)

    def _run_claimed(self, context: StageContext, claim: Claim) -> dict[str, int]:
        started, cpu = time.monotonic(), time.process_time()
        try:
            counts: dict[str, int] = self.run(context, claim)
        except ClaimLost:
            log.warning("claim_lost", seconds=round(time.monotonic() - started, 3))
            raise Reject("the lease was taken over", requeue=False) from None
        except TransientError as exc:
            delay = exc.retry_after if isinstance(exc, RateLimited) else context.policy.retry_seconds
            hand_back(context, claim, exc, delay, forgive=True)
            raise Reject(str(exc), requeue=False) from exc
        except MisconfiguredError as exc:
            hand_back(context, claim, exc, MISCONFIGURED_DELAY, forgive=True)
            raise
        except Exception as exc:  # the one place that records what nobody foresaw, and lets it fail
            delay = min(MAX_DELAY, context.policy.retry_seconds * 2 ** (claim.attempts - 1))
            hand_back(context, claim, exc, delay, forgive=False)
            raise
        # A worker process runs one task at a time, so the process's time is the stage's, all its threads included.
        cpu_seconds = round(time.process_time() - cpu, 3)
        log.info("stage_finished", seconds=round(time.monotonic() - started, 3), cpu_seconds=cpu_seconds, **counts)
        return counts


def hand_back(context: StageContext, claim: Claim, exc: Exception, delay: float, *, forgive: bool) -> None:
    """Give the slice back with the reason. Where even that fails, the lease expires and the sweep does it."""
    error, message = type(exc).__name__, str(exc)
    try:
        kept = context.ledger.hand_back(claim, error, message, delay, forgive=forgive)
    except ServiceUnavailable as unavailable:
        log.warning("hand_back_failed", error=error, reason=str(unavailable))
        return
    log.warning("slice_handed_back", error=error, message=message, delay=delay, attempt=claim.attempts, held=kept)


class Heartbeat:
    """Extends a claim from a thread of its own while the stage works, but never past the stage's deadline."""

    def __init__(self, context: StageContext, claim: Claim) -> None:
        self._context = context
        self._claim = claim
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        policy = self._context.policy
        deadline = time.monotonic() + policy.deadlines[self._claim.token.stage]
        while not self._stop.wait(policy.heartbeat_seconds):
            if time.monotonic() > deadline:
                log.warning("deadline_passed", slice_id=str(self._claim.token.slice_id))
                return
            try:
                if not self._context.ledger.extend(self._claim, policy.lease_seconds):
                    return
            except ServiceUnavailable as exc:
                log.warning("heartbeat_failed", reason=str(exc))
