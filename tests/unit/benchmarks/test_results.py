from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.outcome import require_same
from benchmarks.report import as_json, tables
from benchmarks.results import COLD, EDITED, LIMIT, ONE, UNCHANGED, CaseResult, Outcome, summarised

OUTCOME = Outcome(documents=6, failed=0, chunks=20, points=20, embeddings=20, digest="abc")


def result(side: str = LIMIT, case: str = COLD, seconds: float = 2.0, **changes: object) -> CaseResult:
    made = CaseResult(
        side=side,
        case=case,
        seconds=seconds,
        files=6,
        bytes=1_000_000,
        documents=6,
        chunks=20,
        calls=1,
        messages=0,
        statements=12,
        transaction_statements=4,
        stages={"parse": 0.5},
        processes={"limit": 1.0, "postgres": 0.25},
        peak_mb={"limit": 100.0, "postgres": 900.0},
        outcome=OUTCOME,
    )
    return replace(made, **changes)


def test_the_median_of_the_repetitions_is_shown_with_all_of_them() -> None:
    found = summarised([result(seconds=seconds) for seconds in (3.0, 1.0, 2.0)])
    assert [(each.seconds, each.all_seconds) for each in found] == [(2.0, (3.0, 1.0, 2.0))]


def test_a_ratio_is_that_of_the_medians_of_cold_cases() -> None:
    limit = [result(seconds=seconds) for seconds in (2.0, 9.0, 2.0)]
    pipeline = [result(ONE, seconds=seconds) for seconds in (3.0, 3.0, 30.0)]
    found = summarised([*limit, *pipeline, result(ONE, UNCHANGED)])
    assert [each.ratio for each in found] == [1.0, 1.5, None]


def test_statements_are_shared_among_the_documents_that_were_processed() -> None:
    assert result().statements_per_document == 2.0
    assert result(documents=0).statements_per_document is None
    assert result(statements=None).statements_per_document is None


def test_the_table_shows_rates_and_the_largest_process_of_ours() -> None:
    row = tables(summarised([result()])).splitlines()[2]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["limit", "cold", "2.00", "1.00", "3.0", "0.5", "10.0", "1.2", "100", "0", "12", "2.00", "1"]


def test_the_json_holds_what_is_derived_too() -> None:
    (case,) = as_json([result()], {"cpus": 2})["cases"]
    assert (case["statements_per_document"], case["cpu_seconds"]) == (2.0, 1.25)


@pytest.mark.parametrize("case", [COLD, UNCHANGED, EDITED])
def test_a_case_that_did_its_work_passes(case: str) -> None:
    documents = {COLD: 6, UNCHANGED: 0, EDITED: 1}[case]
    require_same(result(), result(ONE, case, documents=documents), edited=1)


@pytest.mark.parametrize(
    ("case", "documents", "outcome"),
    [
        (COLD, 6, replace(OUTCOME, points=19)),
        (COLD, 6, replace(OUTCOME, embeddings=21)),
        (COLD, 6, replace(OUTCOME, digest="other")),
        (COLD, 5, OUTCOME),
        (UNCHANGED, 1, OUTCOME),
        (EDITED, 0, OUTCOME),
        (EDITED, 1, replace(OUTCOME, documents=5)),
    ],
)
def test_a_case_that_did_other_work_has_no_time(case: str, documents: int, outcome: Outcome) -> None:
    with pytest.raises(SystemExit, match=r"one process per pool, "):
        require_same(result(), result(ONE, case, documents=documents, outcome=outcome), edited=1)
