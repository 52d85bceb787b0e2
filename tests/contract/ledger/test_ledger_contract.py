"""The contract is complete: every method of Ledger, Intake and Control is called by a claim that both kinds answer to.

It reads the sources of the contract, so it holds whatever selection of tests runs and in whatever order.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from harness.bench import Bench
from harness.fake_bench import FakeBench
from harness.steps import Steps

from pipeline.ports import Control, Intake, Ledger

CLAIMS = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]


def methods_of(port: type) -> set[str]:
    return {name for name, value in vars(port).items() if callable(value) and not name.startswith("_")}


def called_in(source: str, attribute: str) -> set[str]:
    """Return the methods that a source calls as ``<anything>.<attribute>.<method>(...)``."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return {
        call.attr
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Attribute) and call.value.attr == attribute
    }


@pytest.mark.parametrize(("port", "attribute"), [(Ledger, "ledger"), (Intake, "intake"), (Control, "control")])
def test_every_method_of_the_port_is_called_by_a_claim(port: type, attribute: str) -> None:
    called = {name for path in CLAIMS for name in called_in(path.read_text(), attribute)}
    assert methods_of(port) - called == set()


def test_the_search_for_calls_tells_a_call_from_a_mention() -> None:
    assert called_in("bench.ledger.sweep(60.0)", "ledger") == {"sweep"}
    assert called_in("'bench.ledger.sweep(60.0)'; bench.ledger.sweep; bench.intake.sweep()", "ledger") == set()
    assert {"claim", "finish_slice", "sweep"} <= methods_of(Ledger)
    assert {"planning", "close"} <= methods_of(Intake)


def test_no_claim_looks_past_the_port() -> None:
    """What only one kind has (SQL, tables in memory) stands in other tests, or the contract would be two."""
    only_one_has = (set(dir(Bench)) ^ set(dir(FakeBench))) - set(dir(Steps)) | {"memory", "clock", "engine", "sources"}
    used = {
        (path.name, node.attr)
        for path in CLAIMS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bench"
    }
    assert used
    assert [(name, attribute) for name, attribute in used if attribute in only_one_has] == []
