"""Follow a plan and a run while they happen, and say what keeps a run from going on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID

from pipeline import errors
from pipeline.errors import MisconfiguredError, ServiceUnavailable
from pipeline.policy import SkipReason
from pipeline.states import RunState
from worker.cli.display import LINE_EVERY, open_display
from worker.cli.output import note, printable

if TYPE_CHECKING:
    from models.views import Views
    from pipeline.policy import Skip
    from pipeline.report import RunProgress

#: Seconds between two looks at a run at least and at most, and before the next one while Postgres does not answer.
POLL = 0.05
LONGEST_POLL = 2.0
PAUSE = 1.0
#: A look at a large run counts many rows: the pause after it is this many times as long as it took.
_REST = 20.0
#: Nor does a long run need many looks: the pause is at least this share of the time it has been watched.
_SHARE = 0.03
#: Seconds without any movement after which a user is told where to look.
STANDSTILL = 15.0
#: Skips worth a line of their own; the others are only counted.
_NAMED = frozenset({SkipReason.SECRET, SkipReason.TOO_LARGE, SkipReason.SYMLINK_OUTSIDE, SkipReason.SYMLINK_LOOP})
#: Lines about skips at most, so that a strange tree does not drown the rest.
_SKIP_LINES = 20

_ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.INCOMPLETE, RunState.CANCELLED})

#: What only an operator can mend: the errors of the domain, and those that stages and adapters add (importing is slow).
MISCONFIGURATIONS = frozenset(
    {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, MisconfiguredError)}
    | {"EverythingRefused", "OutdatedServer", "QuotaExhausted", "RequestRefused", "UnusableEndpoint"}
)


class PlanNotes:
    """Says what a plan does, in plain lines."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._skips = 0
        self._last_line = time.monotonic()

    def opened(self, run_id: UUID) -> None:
        """Name the run."""
        if not self._quiet:
            note(f"run {run_id}: reading files")

    def waiting(self) -> None:
        """Say why nothing happens."""
        note("another ingestion is reading this source; waiting for it")

    def planned(self, seen: int, accepted: int) -> None:
        """Say how far the walk is, now and then."""
        now = time.monotonic()
        if not self._quiet and now - self._last_line > LINE_EVERY:
            note(f"  {seen:,} files met, {accepted:,} to index")
            self._last_line = now

    def skipped(self, skip: Skip) -> None:
        """Name what somebody may miss."""
        if self._quiet or skip.reason not in _NAMED:
            return
        self._skips += 1
        if self._skips <= _SKIP_LINES:
            note(f"  skipped {printable(skip.path)}: {skip.reason.value}")
        elif self._skips == _SKIP_LINES + 1:
            note("  skipped more like these; the report counts them")


def watch_run(views: Views, run_id: UUID, *, quiet: bool, patient: bool = False) -> None:
    """Return when the run has ended. The run goes on if the watcher dies.

    ``patient``: what an operator must mend is told and waited for, as if it were passing.

    Raises:
        MisconfiguredError: The workers cannot go on before an operator acts.
    """
    trouble = _Trouble(patient=patient)
    began = time.monotonic()
    with open_display(quiet=quiet) as display:
        while True:
            started = time.monotonic()
            try:
                progress = views.progress(run_id)
            except ServiceUnavailable as exc:
                # The run does not depend on its watcher; Postgres may be restarting.
                trouble.unanswered(exc)
                time.sleep(PAUSE)
                continue
            if progress is not None:
                display.show(progress)
                if progress.state in _ENDED:
                    return
                trouble.look(progress, run_id)
            now = time.monotonic()
            time.sleep(rest_after(look=now - started, watched=now - began))


def rest_after(*, look: float, watched: float) -> float:
    """Return how many seconds to leave Postgres alone, from what the last look and all of the watching took."""
    return min(LONGEST_POLL, max(POLL, _REST * look, _SHARE * watched))


class _Trouble:
    """Tells each trouble once, when it begins."""

    def __init__(self, *, patient: bool) -> None:
        self._patient = patient
        self._told = ""
        self._last: RunProgress | None = None
        self._moved_at = time.monotonic()

    def unanswered(self, exc: ServiceUnavailable) -> None:
        """Postgres does not answer."""
        self._tell(f"{exc} Waiting for it.")

    def look(self, progress: RunProgress, run_id: UUID) -> None:
        """Look at the run's own trouble.

        Raises:
            MisconfiguredError: It does not end by itself.
        """
        if progress != self._last:
            self._last, self._moved_at = progress, time.monotonic()
        if progress.state is RunState.PAUSED:
            self._tell(f"paused; `mobius runs resume {run_id}`, or `mobius resume` for the fleet, lets it go on")
            self._moved_at = time.monotonic()
            return
        if progress.error in MISCONFIGURATIONS and not self._patient:
            raise MisconfiguredError(
                f"{progress.message}\nNothing is lost: run {run_id} goes on by itself when this is mended."
            )
        if progress.error:
            self._tell(f"{progress.error}: {printable(progress.message)} It is tried again.")
        elif time.monotonic() - self._moved_at > STANDSTILL:
            self._tell("nothing has moved for a while; `mobius doctor` says whether dispatcher and workers run")
        else:
            self._told = ""

    def _tell(self, what: str) -> None:
        if what != self._told:
            note(f"  {what}")
            self._told = what
