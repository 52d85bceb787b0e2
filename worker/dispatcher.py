"""The dispatcher: sends ready slices as chains and brings back the lost ones. ``python -m worker.dispatcher``.

It wakes up on Postgres' NOTIFY and at least once a second. Several may run; a dead one only slows things down,
because a beat tick does the same work.

Its looks are not evenly spaced. Idle workers ask Redis anew every second, and a message goes to the one that has asked
for the longest: sent in step with them, it could come to the same worker for minutes, while another one, which alone
may be able to do it (`pipeline.versions`), is always a moment too late.
"""

from __future__ import annotations

import signal
import threading
import time

import structlog
from celery import Celery

from models.session import listening
from pipeline.errors import MisconfiguredError, ServiceUnavailable
from pipeline.ports import Ledger
from tasks.base import StagePolicy
from tasks.workflow import dispatch, sweep
from worker.observability.liveness import LifeSign
from worker.observability.logs import configure_logs
from worker.settings import load_settings
from worker.starting import await_schema

log = structlog.get_logger(__name__)

#: Seconds between two looks when nobody notifies: at least and at most.
POLL = (0.3, 1.0)
#: Seconds to wait after a service did not answer.
PAUSE = 1.0
#: One dispatch in this many goes to the oldest slices whatever their priority, so that bulk never starves.
AGEING = 4


class Dispatcher:
    """One loop over the ledger; ``stop`` ends it within a poll."""

    def __init__(
        self,
        app: Celery,
        ledger: Ledger,
        policy: StagePolicy,
        sweep_seconds: float,
        life: LifeSign | None = None,
    ) -> None:
        self._app = app
        self._ledger = ledger
        self._policy = policy
        self._sweep_seconds = sweep_seconds
        self._life = life or LifeSign()
        self._stopped = threading.Event()
        self._rounds = 0
        self._next_sweep = 0.0

    def stop(self, *_signal: object) -> None:
        """End the loop after its current round."""
        self._stopped.set()

    def run(self, database_url: str) -> None:
        """Work until stopped; a service that does not answer is waited for."""
        while not self._stopped.is_set():
            try:
                with listening(database_url) as wait:
                    while not self._stopped.is_set():
                        self.round()
                        wait(*POLL)
            except ServiceUnavailable as exc:
                log.warning("service_unavailable", reason=str(exc))
                self._stopped.wait(PAUSE)

    def round(self) -> int:
        """Sweep when it is time, then send what the window has room for; return how many were sent.

        A sweep that fails holds up nothing that is ready; it is made up for in the next round.

        Raises:
            ServiceUnavailable: Postgres or Redis does not answer.
        """
        try:
            self._sweep_if_due()
        finally:
            sent = self._send()
        self._life.show()
        return sent

    def _sweep_if_due(self) -> None:
        if time.monotonic() >= self._next_sweep:
            sweep(self._ledger, self._policy)
            self._next_sweep = time.monotonic() + self._sweep_seconds

    def _send(self) -> int:
        sent = dispatch(self._app, self._ledger, self._policy, oldest_first=self._rounds % AGEING == AGEING - 1)
        # A round without room in the window takes nobody's turn: bulk may meet only those.
        self._rounds += sent > 0
        return sent


def main() -> None:
    """Run the dispatcher until SIGTERM or SIGINT."""
    from worker.app import app  # noqa: PLC0415  reads the settings at import

    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format)
    database_url = settings.require("database_url")
    await_schema(database_url)
    context, life = app.stage_context, LifeSign(settings.liveness_file)
    dispatcher = Dispatcher(app, context.ledger, context.policy, settings.sweep_seconds, life)
    signal.signal(signal.SIGTERM, dispatcher.stop)
    signal.signal(signal.SIGINT, dispatcher.stop)
    log.info("dispatcher_started", window=context.policy.dispatch_window)
    dispatcher.run(database_url)
    log.info("dispatcher_stopped")


if __name__ == "__main__":
    try:
        main()
    except MisconfiguredError as exc:
        raise SystemExit(f"mobius dispatcher: {exc}") from exc
