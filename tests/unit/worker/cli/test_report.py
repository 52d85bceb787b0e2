"""A run's state is an exit code to scripts and a few lines to people."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from pipeline.report import (
    ChunkCounts,
    DocumentCounts,
    DocumentError,
    EmbeddingCounts,
    PointCounts,
    RunReport,
    SkipCount,
)
from pipeline.states import RunState
from worker.cli.report import exit_code, print_report


def report(state: RunState = RunState.SUCCEEDED, failed: int = 0, errors: int = 0, message: str = "") -> RunReport:
    return RunReport(
        run_id=UUID(int=7),
        project="p",
        source="s",
        state=state,
        documents=DocumentCounts(2_000, 1_500, 0, 0, 3, 0, 0, 1_490, failed),
        chunks=ChunkCounts(10, 4, 6),
        points=PointCounts(10, 0, 0),
        embedding=EmbeddingCounts("m", 1, 4, 99),
        seconds=1.25,
        errors=tuple(DocumentError(f"a\n{number}", "Unreadable", "why\nnot") for number in range(errors)),
        skipped=(SkipCount("too_large", 3),),
        message=message,
    )


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (RunState.SUCCEEDED, 0),
        (RunState.RUNNING, 0),
        (RunState.PLANNING, 0),
        (RunState.FAILED, 3),
        (RunState.INCOMPLETE, 2),
        (RunState.PAUSED, 0),
        (RunState.CANCELLED, 3),
    ],
)
def test_every_state_has_its_exit_code(state: RunState, code: int) -> None:
    assert exit_code(report(state)) == code


def test_a_report_names_each_failure_on_one_line_and_counts_those_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_report(report(RunState.FAILED, failed=10, errors=2, message="none is deleted"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"run {UUID(int=7)}: failed in 1.2 s"
    assert "1,490 indexed (1,500 new" in lines[1]
    assert "  failed     a\\n0: Unreadable: why\\nnot" in lines
    assert "  failed     and 8 more" in lines
    assert "  skipped    3 too_large: It is larger than the limit; raise MOBIUS_MAX_FILE_BYTES or split it." in lines
    assert lines[-1] == "  note       none is deleted"


def test_a_report_names_cancelled_documents_only_where_there_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    whole = report(RunState.CANCELLED)
    print_report(whole)
    assert "cancelled" not in capsys.readouterr().out.splitlines()[1]
    print_report(replace(whole, documents=replace(whole.documents, cancelled=1_200)))
    assert capsys.readouterr().out.splitlines()[1].endswith(", 0 failed, 1,200 cancelled")
