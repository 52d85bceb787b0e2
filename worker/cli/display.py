"""Show how far a run is: a bar with stage counts and the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from worker.cli.output import note

if TYPE_CHECKING:
    from pipeline.report import RunProgress

#: Seconds between two plain lines about a run, and before the first one: a short run needs none.
LINE_EVERY = 2.0


class Display(Protocol):
    """Is told how far a run is, many times a second."""

    def show(self, progress: RunProgress) -> None:
        """Show where the run is now."""


class Silence:
    """Shows nothing: the output is for machines."""

    def show(self, progress: RunProgress) -> None:
        """Do nothing."""


class Lines:
    """Prints a line now and then."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, progress: RunProgress) -> None:
        """Print a line if it is time for one."""
        if time.monotonic() - self._last < LINE_EVERY:
            return
        self._last = time.monotonic()
        stages = in_stages(progress)
        total = progress.pending + progress.finished
        note(f"  {progress.finished:,} of {total:,} documents done" + (f" ({stages})" if stages else ""))


@contextmanager
def open_display(*, quiet: bool) -> Iterator[Display]:
    """Choose the display that fits where stderr leads."""
    if quiet:
        yield Silence()
    elif sys.stderr.isatty():
        with _bar() as display:
            yield display
    else:
        yield Lines()


@contextmanager
def _bar() -> Iterator[Display]:
    from rich.console import Console  # noqa: PLC0415  0.15 s, and only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("documents"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[stages]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None, stages="")

        class Bar:
            """The bar of one run."""

            def show(self, progress: RunProgress) -> None:
                """Move it."""
                total = progress.pending + progress.finished
                bars.update(task, completed=progress.finished, total=total or None, stages=in_stages(progress))

        yield Bar()


def in_stages(progress: RunProgress) -> str:
    """Return how many documents are at which stage."""
    return ", ".join(f"{stage} {count:,}" for stage, count in progress.by_stage.items() if count)
