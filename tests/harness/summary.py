"""Say at the end what the tests ran on, and why not on more.

It asks what ran, not what was collected: with tests side by side, the process that sums up has collected nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from harness.clusters import engines, why_no_containers
from harness.programs import index_backends


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    modules = set(_modules_that_ran(terminalreporter))
    if "tests/contract/test_index_contract.py" in modules:
        terminalreporter.write_line(f"index contract backends: {', '.join(index_backends())}")
    if "tests/e2e/test_recovery.py" in modules:
        lacking = f"; no containers: {reason}" if (reason := why_no_containers()) else ""
        terminalreporter.write_line(f"Celery clusters ran as: {', '.join(engines())}{lacking}")


def _modules_that_ran(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                yield report.nodeid.partition("::")[0]
