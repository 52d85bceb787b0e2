"""The report counts by kind, measures single faults alone, and lets nothing pass that was not survived."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from chaos.facts import Breach, Violation
from chaos.report import Result, as_json, as_text
from chaos.watch import Strike


def strike(kind: str, recovery: float | None, *, is_single: bool = True, is_outage: bool = False) -> Strike:
    recovered_at = None if recovery is None else 105.0 + recovery if is_outage else 100.0 + recovery
    return Strike(kind, 100.0, set(), is_outage, 105.0, recovered_at, is_single)


SURVIVED = Result(42, {"files": 7}, [strike("killed", 3.0), strike("killed", 9.0, is_single=False)], [], bound=5.0)


def test_a_run_without_a_breach_has_survived() -> None:
    assert SURVIVED.has_survived
    text = as_text(SURVIVED)
    assert "killed  2         2         1       3.0" in text
    assert "7 files" in text
    assert text.endswith("survived")


def test_recovery_from_an_outage_counts_from_its_end() -> None:
    assert strike("outage", 4.0, is_outage=True).recovery == 4.0
    assert strike("kill", 4.0).recovery == 4.0
    assert strike("neither", None).recovery is None


@pytest.mark.parametrize(
    ("result", "proof"),
    [
        (replace(SURVIVED, violations=[Violation(Breach.LOST, "a.py")]), "lost: a.py"),
        (replace(SURVIVED, strikes=[strike("killed", None)]), "never recovered: killed"),
        (replace(SURVIVED, strikes=[strike("killed", 6.0)]), "slow: killed took 6.0 s"),
    ],
    ids=["a breach", "a fault without recovery", "a slow recovery"],
)
def test_whatever_was_not_survived_is_named_with_the_seed(result: Result, proof: str) -> None:
    assert not result.has_survived
    assert proof in as_text(result)
    assert as_text(result).endswith("NOT survived; the same again: SEED=42")
    assert json.loads(as_json(result))["has_survived"] is False


def test_only_single_faults_are_held_to_the_bound() -> None:
    assert replace(SURVIVED, strikes=[strike("killed", 6.0, is_single=False)]).has_survived
    assert replace(SURVIVED, strikes=[strike("killed", 6.0)], bound=None).has_survived


def test_the_json_says_what_the_table_says() -> None:
    found = json.loads(as_json(SURVIVED))
    assert found["kinds"] == [
        {"fault": "killed", "injected": 2, "survived": 2, "single": 1, "slowest recovery (s)": 3.0}
    ]
    assert found["breaches"] == dict.fromkeys(map(str, Breach), 0)
    assert found["seed"] == 42
