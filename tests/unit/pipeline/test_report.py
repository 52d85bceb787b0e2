"""A report's fields are its JSON: scripts read them by these names."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pipeline import report


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DocumentCounts", "seen new changed unchanged skipped deleted superseded indexed failed cancelled"),
        ("ChunkCounts", "total embedded reused"),
        ("PointCounts", "written updated deleted"),
        ("EmbeddingCounts", "model calls inputs tokens"),
        ("DocumentError", "path error message"),
        ("SkipCount", "reason count"),
        ("SearchHit", "path start_line end_line language kind name scope score text"),
        ("RunLine", "run_id project source state documents failed started_at"),
    ],
)
def test_no_field_of_a_report_changes_its_name(name: str, expected: str) -> None:
    assert [field.name for field in fields(getattr(report, name))] == expected.split()


def test_a_run_report_has_all_that_a_script_decides_by() -> None:
    names = {field.name for field in fields(report.RunReport)}
    assert names >= {"run_id", "state", "documents", "chunks", "points", "embedding", "seconds", "errors", "skipped"}
