"""All policy of a stage task: claim, lease, log context, hand-back, and the end of a chain.

A task's message is (slice, stage, seq). Only a message whose token is current may work; any other ends its chain
without a trace in the ledger. What a stage raises decides what happens to its slice:

- ``TransientError``: handed back, retried after a delay, no attempt burnt; so is what a newer version left, until a
  worker of that version takes it, and chunks that an older one left, which are made again;
- ``MisconfiguredError``: handed back for longer, the task fails where operators look;
- ``ClaimLost``: somebody else has the slice, or its run was cancelled; nothing of ours was written;
- anything else: a crash. It counts as an attempt, is recorded on the slice with its traceback, and the task fails.

A process that ends in the middle runs none of this: its parent reports the crash (``tasks.requests``); where the
parent is gone too, the lease expires and the sweep brings the slice back.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from uuid import UUID

import structlog
from celery import Task
from celery.exceptions import Reject

from pipeline.errors import ClaimLost, MisconfiguredError, RateLimited, ServiceUnavailable, TransientError
from pipeline.types import Claim, Stage, Token
from pipeline.versions import MadeByOlder, require_understood
from tasks.context import Halted, IngestApp, StageContext, StagePolicy
from tasks.heartbeat import Heartbeat
from tasks.queues import VERSION_HEADER

__all__ = ["Halted", "Heartbeat", "IngestApp", "OutOfMemory", "StageContext", "StagePolicy", "StageTask", "hand_back"]

log = structlog.get_logger(__name__)

#: Seconds before a slice that met a configuration fault is tried again.
MISCONFIGURED_DELAY = 30.0
#: Longest delay between two attempts of a crashing slice (s).
MAX_DELAY = 60.0
#: Share of its hard time limit after which a stage is taken to hang, and leaves a trace of where it is.
_SHARE_BEFORE_HANG = 0.9


class OutOfMemory(Exception):
    """The stage needed more memory than one worker process may have (MOBIUS_PROCESS_MEMORY_BYTES)."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class StageTask(Task):  # type: ignore[misc]  # celery ships no types
    """A stage's task. ``run(context, claim)`` does the work and commits it; counts are its result."""

    abstract = True
    Request = "tasks.requests:StageRequest"
    # Celery would check a message's arguments against ``run``, but they are those of ``__call__``.
    typing = False

    def __call__(self, slice_id: str, stage: str, seq: int, *_of_newer: object, **_by_name: object) -> dict[str, int]:
        """Claim the message's slice and run the stage under a heartbeat; a newer message may say more than these."""
        token = Token(UUID(slice_id), Stage(stage), seq)
        context: StageContext = self.app.stage_context
        with structlog.contextvars.bound_contextvars(slice_id=slice_id, stage=stage, task_id=token.task_id):
            claim = context.ledger.claim(token, context.worker, context.policy.lease_seconds)
            if claim is None:
                log.info("stale_message_dropped", seq=seq)
                raise Reject("stale or duplicate message", requeue=False)
            with structlog.contextvars.bound_contextvars(run_id=str(claim.run_id)), Heartbeat(context, claim) as beat:
                return self._run_claimed(replace(context, is_halted=beat.is_halted), claim)

    def _run_claimed(self, context: StageContext, claim: Claim) -> dict[str, int]:
        started, cpu = time.monotonic(), time.process_time()
        self.app.witness.begin_stage(_SHARE_BEFORE_HANG * context.policy.deadlines[claim.token.stage])
        try:
            require_understood(self.request.get(VERSION_HEADER, 1), claim.version)
            counts: dict[str, int] = self.run(context, claim)
        except ClaimLost:
            log.warning("claim_lost", seconds=round(time.monotonic() - started, 3))
            raise Reject("the lease was taken over", requeue=False) from None
        except Halted as exc:
            hand_back(context, claim, exc, 0.0, forgive=True)
            raise Reject(str(exc), requeue=False) from exc
        except MadeByOlder as exc:
            hand_back(context, claim, exc, context.policy.retry_seconds, forgive=True, stage=Stage.CHUNK)
            raise Reject(str(exc), requeue=False) from exc
        except TransientError as exc:
            delay = exc.retry_after if isinstance(exc, RateLimited) else context.policy.retry_seconds
            hand_back(context, claim, exc, delay, forgive=True)
            raise Reject(str(exc), requeue=False) from exc
        except MisconfiguredError as exc:
            hand_back(context, claim, exc, MISCONFIGURED_DELAY, forgive=True)
            raise
        except MemoryError as exc:
            # Celery's parent process never acknowledges the message of a task that failed with this one class, so the
            # worker would take one message less at a time from then on.
            failure = OutOfMemory()
            failure.__cause__ = exc
            _record_crash(context, claim, failure)
            raise failure from exc
        except Exception as exc:  # the one place that records what nobody foresaw, and lets it fail
            _record_crash(context, claim, exc)
            raise
        finally:
            self.app.witness.end_stage()
        # A worker process runs one task at a time, so the process's time is the stage's, all its threads included.
        cpu_seconds = round(time.process_time() - cpu, 3)
        log.info("stage_finished", seconds=round(time.monotonic() - started, 3), cpu_seconds=cpu_seconds, **counts)
        return counts


def _record_crash(context: StageContext, claim: Claim, exc: Exception) -> None:
    delay = min(MAX_DELAY, context.policy.retry_seconds * 2 ** (claim.attempts - 1))
    hand_back(context, claim, exc, delay, forgive=False)


def hand_back(
    context: StageContext,
    claim: Claim,
    exc: Exception,
    delay: float,
    *,
    forgive: bool,
    stage: Stage | None = None,
) -> None:
    """Give the slice back with the reason. Where even that fails, the lease expires and the sweep does it.

    ``stage`` is the one to begin again at; None: the claim's.
    """
    # A pause is no trouble that a slice has to tell of.
    error, message = ("", "") if isinstance(exc, Halted) else (type(exc).__name__, str(exc))
    trace = "" if forgive else "".join(traceback.format_exception(exc))
    try:
        kept = context.ledger.hand_back(claim, error, message, delay, forgive=forgive, trace=trace, stage=stage)
    except ServiceUnavailable as unavailable:
        log.warning("hand_back_failed", error=error, reason=str(unavailable))
        return
    log.warning("slice_handed_back", error=error, message=message, delay=delay, attempt=claim.attempts, held=kept)
