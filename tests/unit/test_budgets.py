"""The budgets of size: no module, function or import list grows beyond what one reader holds; no exceptions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("pipeline", "models", "tasks", "worker", "migrations", "tests", "benchmarks", "examples")
MODULE_LINES = 400
FUNCTION_LINES = 60
IMPORTS = 15

SOURCES = sorted(
    path
    for path in (*(path for name in PACKAGES for path in (ROOT / name).rglob("*.py")), *ROOT.glob("*.py"))
    if "__pycache__" not in path.parts
)
MODULES = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in SOURCES]


def functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES)
def test_a_module_stays_within_its_budget(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    # `from __future__` imports nothing, it sets a switch.
    imports = [node for node in imports if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    too_long = [
        f"{function.name} ({length} lines)"
        for function in functions(tree)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    ]
    assert len(source.splitlines()) <= MODULE_LINES
    assert not too_long
    assert len(imports) <= IMPORTS


def test_every_module_says_what_it_guarantees() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if "tests" not in path.relative_to(ROOT).parts and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_the_budget_sees_the_whole_code() -> None:
    assert len(SOURCES) > 50
