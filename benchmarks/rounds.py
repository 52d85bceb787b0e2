"""Run limit and pipeline in turn, round after round, so that a noisy machine is noisy for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.bench import Bench
from benchmarks.cases import limit_case, pipeline_cases
from benchmarks.outcome import require_same
from benchmarks.results import DEFAULTS, ONE, CaseResult
from worker.settings import load_settings

Say = Callable[[str], None]


def measured(bench: Bench, repeat: int, say: Say) -> Iterator[CaseResult]:
    """Yield every case of every side, ``repeat`` times; each is checked before it is shown.

    Raises:
        SystemExit: A case did not do its work.
    """
    settings = load_settings()
    sides = ((ONE, 1, 1), (DEFAULTS, settings.cpu_concurrency, settings.io_concurrency))
    for number in range(1, repeat + 1):
        limit = limit_case(bench)
        say(_line(number, limit))
        yield limit
        for side, cpu, io in sides:
            for result in pipeline_cases(bench, side, cpu, io):
                require_same(limit, result, len(bench.corpus.edited))
                say(_line(number, result))
                yield result


def profiled(bench: Bench, say: Say) -> dict[str, Any]:
    """Return where the time of limit and pipeline goes, by stage."""
    found = {}
    for side in ("limit", "pipeline"):
        say(f"  profiling the {side}")
        with bench.environment() as environment:
            found[side] = bench.run(f"profile_{side}", str(bench.corpus.root), environment=environment)
    return found


def _line(number: int, result: CaseResult) -> str:
    return f"  {number}: {result.side}, {result.case}: {result.seconds:.2f} s"
