"""Run limit and pipeline in turn, round after round, so that a noisy machine is noisy for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def _line(number: int, result: CaseResult) -> str:
    return f"  {number}: {result.side}, {result.case}: {result.seconds:.2f} s"
