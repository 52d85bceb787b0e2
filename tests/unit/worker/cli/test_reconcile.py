"""What a reconciliation means to a script, and what people are told to do next."""

from __future__ import annotations

from uuid import UUID

import pytest
from typer.testing import CliRunner

from pipeline.reconciliation import PassCounts, PassReport, ReconciliationState
from worker.cli import reconcile
from worker.cli.main import app


def report(state: str = "finished", *, is_repair: bool = True, message: str = "", **counts: int) -> PassReport:
    return PassReport(UUID(int=1), is_repair, ReconciliationState(state), PassCounts(**counts), 0.25, message)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(), 0),
        (report(deferred=3), 0),
        (report(missing=2, orphan=1, repaired=3), 0),
        (report(is_repair=False, stale=1), 4),
        (report(missing=2, repaired=1, failed=1), 4),
        (report("refused", orphan=20), 5),
        (report("interrupted"), 5),
        (None, 5),
    ],
)
def test_the_exit_code_says_in_sync_drift_left_or_refused(found: PassReport | None, code: int) -> None:
    assert reconcile.exit_code(found) == code


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (report(), "ledger and index agree"),
        (report(is_repair=False, stale=1), "mend it with `mobius reconcile --repair`"),
        (report(missing=1, repaired=1), "everything that was found is mended"),
        (report(missing=1, failed=1, message="a note"), "run `mobius reconcile` again"),
        (report("refused", orphan=20, message="it would delete 20"), "nothing more was changed"),
    ],
)
def test_people_are_told_every_count_and_the_next_step(
    found: PassReport, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    reconcile._print(found)
    shown = capsys.readouterr()
    assert words in shown.err
    assert f"orphan     {found.counts.orphan}" in shown.out
    assert found.message in shown.out


def test_json_has_the_counts_and_what_is_left() -> None:
    shown = reconcile._as_json(report(missing=3, repaired=1), is_repair=True, project="p")
    assert shown == {
        "reconciliation_id": UUID(int=1), "project": "p", "mode": "repair", "state": "finished", "compared": 0,
        "scanned": 0, "missing": 3, "orphan": 0, "stale": 0, "deferred": 0, "repaired": 1, "failed": 0,
        "drifted": 3, "left": 2, "seconds": 0.25, "message": "",
    }  # fmt: skip
    busy = reconcile._as_json(None, is_repair=False, project=None)
    assert (busy["state"], busy["reconciliation_id"], busy["left"]) == ("refused", None, 0)
    assert "another reconciliation is running" in str(busy["message"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--tenant", "t"], "--tenant needs --project"), (["--allow-delete"], "--allow-delete needs --repair"),
     (["--project", " "], "it is empty")],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(arguments: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["reconcile", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert words in done.output


def test_the_help_says_that_nothing_is_changed_by_default() -> None:
    done = CliRunner().invoke(app, ["reconcile", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert "Without --repair the index is not changed" in done.output
