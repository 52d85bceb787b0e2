"""Show a plan and a run while they happen: bars on a terminal, plain lines elsewhere, nothing for machines."""

from __future__ import annotations

import time
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from models.views import Views
from pipeline import errors
from pipeline.errors import MisconfiguredError, ServiceUnavailable
from pipeline.policy import Skip, SkipReason
from pipeline.report import RunProgress
from pipeline.states import RunState
from worker.cli.output import note, notes, printable

#: Seconds between two looks at a run.
POLL = 0.1
#: Seconds between two plain lines about it.
LINE_EVERY = 2.0
#: Skips worth a line of their own; the others are only counted.
_NAMED = frozenset({SkipReason.SECRET, SkipReason.TOO_LARGE, SkipReason.SYMLINK_OUTSIDE, SkipReason.SYMLINK_LOOP})
#: Lines about skips at most, so that a strange tree does not drown the rest.
_SKIP_LINES = 20

_ENDED = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.INCOMPLETE})


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


def watch_run(views: Views, run_id: UUID, *, quiet: bool) -> None:
    """Return when the run has ended. The run goes on if the watcher dies.

    Raises:
        MisconfiguredError: The workers cannot go on before an operator acts.
    """
    with _Display(quiet=quiet) as display:
        while True:
            progress = _look(views, run_id)
            if progress is not None:
                display.show(progress)
                if progress.state in _ENDED:
                    return
                _raise_misconfiguration(progress, run_id)
            time.sleep(POLL)


def _look(views: Views, run_id: UUID) -> RunProgress | None:
    try:
        return views.progress(run_id)
    except ServiceUnavailable:
        # The run does not depend on its watcher; Postgres may be restarting.
        time.sleep(1.0)
        return None


def _raise_misconfiguration(progress: RunProgress, run_id: UUID) -> None:
    kind = getattr(errors, progress.error, None)
    if isinstance(kind, type) and issubclass(kind, MisconfiguredError):
        raise kind(f"{progress.message}\nNothing is lost: run {run_id} goes on by itself when this is mended.")


class _Display:
    """Bars with stage counts on a terminal, otherwise a line now and then."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._last_line = 0.0
        self._last_trouble = ""
        self._task: TaskID | None = None
        self._bars: Progress | None = None
        if not quiet and notes.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[stages]}"),
                TimeRemainingColumn(),
                console=notes,
                transient=True,
            )

    def __enter__(self) -> _Display:
        if self._bars is not None:
            self._bars.start()
            self._task = self._bars.add_task("documents", total=None, stages="")
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def show(self, progress: RunProgress) -> None:
        """Show where the run is, and trouble once."""
        stages = ", ".join(f"{stage} {count:,}" for stage, count in progress.by_stage.items() if count)
        total = progress.pending + progress.finished
        if progress.error and progress.error != self._last_trouble:
            note(f"  trouble: {progress.error}: {progress.message} (it is tried again)")
        self._last_trouble = progress.error
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=progress.finished, total=total or None, stages=stages)
        elif not self._quiet and time.monotonic() - self._last_line > LINE_EVERY:
            note(f"  {progress.finished:,} of {total:,} documents done" + (f" ({stages})" if stages else ""))
            self._last_line = time.monotonic()
