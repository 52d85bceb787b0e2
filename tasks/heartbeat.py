"""Keep a claim alive while its stage works, and hear of a pause or a cancellation meanwhile."""

from __future__ import annotations

import threading
import time

import structlog

from pipeline.errors import ServiceUnavailable
from pipeline.types import Claim
from tasks.context import StageContext

log = structlog.get_logger(__name__)


class Heartbeat:
    """Extends a claim from a thread of its own while the stage works, but never past the stage's deadline.

    Each beat looks whether the stage is to stop as well, so a pause or a cancellation is known within one beat. A
    cancelled stage has no claim any more; what it still has in flight is kept from others until it ends.
    """

    def __init__(self, context: StageContext, claim: Claim) -> None:
        self._context = context
        self._claim = claim
        self._stop = threading.Event()
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def is_halted(self) -> bool:
        """Return whether the stage is to stop."""
        return self._halt.is_set()

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
                is_held = self._context.ledger.extend(self._claim, policy.lease_seconds)
                if not is_held or self._context.ledger.is_halted(self._claim):
                    self._halt.set()
                if not is_held and not self._context.ledger.keep_reserved(self._claim, policy.lease_seconds):
                    return
            except ServiceUnavailable as exc:
                log.warning("heartbeat_failed", reason=str(exc))
