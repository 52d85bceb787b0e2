"""What Qdrant says means that it takes this model's points under a condition, or what must be done first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.errors import DimensionMismatch
from pipeline.types import EmbeddingModel
from worker.adapters.qdrant_layout import require_fit
from worker.doctor.findings import Silence, Status
from worker.doctor.qdrant import QdrantSeen, judge, judge_collection, judge_version

SEEN = QdrantSeen("http://q", "1.16.0", "p/m/8", points=1234, health="green")


def misfit() -> DimensionMismatch:
    with pytest.raises(DimensionMismatch) as caught:
        require_fit(EmbeddingModel("p", "m", 8), 4, "Cosine")
    return caught.value


def test_a_good_qdrant_has_nothing_to_do() -> None:
    findings = judge(SEEN)
    assert {(finding.status, finding.advice) for finding in findings} == {(Status.OK, "")}
    assert "1,234 points" in findings[1].found


def test_one_that_does_not_answer_is_one_problem_and_the_rest_is_skipped() -> None:
    assert [(f.name, f.status) for f in judge(Silence("no", "start it"))] == [
        ("qdrant", Status.PROBLEM),
        ("qdrant.collection", Status.SKIPPED),
    ]


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("1.15.5", Status.PROBLEM),
        ("1.9.0", Status.PROBLEM),
        ("0.99.1", Status.PROBLEM),
        ("unknown", Status.PROBLEM),
        ("1.16.0", Status.OK),
        ("1.20.1", Status.OK),
        ("1.17.0-dev", Status.OK),
        ("2.0.0", Status.OK),
    ],
)
def test_only_versions_with_conditional_updates_will_do(version: str, status: Status) -> None:
    assert judge_version(replace(SEEN, version=version)).status is status


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (replace(SEEN, points=None, health=""), Status.OK, "none yet for p/m/8"),
        (replace(SEEN, health="yellow"), Status.OK, "yellow"),
        (replace(SEEN, health="grey"), Status.WARNING, "any write"),
        (replace(SEEN, health="red"), Status.PROBLEM, "Qdrant's log"),
        (replace(SEEN, misfit=misfit()), Status.PROBLEM, "drop that alias"),
        (replace(SEEN, has_sparse=False), Status.WARNING, "mobius reconcile --repair"),
    ],
    ids=["none", "yellow", "grey", "red", "misfit", "no words"],
)
def test_the_collection(seen: QdrantSeen, status: Status, words: str) -> None:
    finding = judge_collection(seen)
    assert finding.status is status
    assert words in f"{finding.found} {finding.advice}"
