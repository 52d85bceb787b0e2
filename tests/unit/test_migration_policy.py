"""A migration runs while the previous version still works, so it may add and must not take away, rename or rewrite.

Constraints are not judged here: one that is wider than before is fine, and whether it is takes a reader.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

VERSIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"
#: What the previous version would notice, whatever the arguments.
LOSSES = {"drop_table", "drop_column", "rename_table", "alter_column", "drop_table_comment", "bulk_insert"}
#: Statements that rewrite rows or take something away.
REWRITES = ("UPDATE", "DELETE", "TRUNCATE", "DROP", "ALTER")


def applied(source: str) -> list[ast.Call]:
    """Return the operations that the upgrade of a migration calls, those of its own functions included."""
    functions = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    pending, seen, found = ["upgrade"], set(), []
    while pending:
        name = pending.pop()
        if name in seen or name not in functions:
            continue
        seen.add(name)
        for node in ast.walk(functions[name]):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                pending.append(node.func.id)
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("op."):
                found.append(node)
    return found


def objections(source: str) -> list[str]:
    """Say what in a migration the previous version would notice."""
    found = []
    for call in applied(source):
        name = ast.unparse(call.func).removeprefix("op.")
        if name in LOSSES:
            found.append(f"line {call.lineno}: {name}")
        elif name == "execute" and _rewrites(call.args[0]):
            found.append(f"line {call.lineno}: {ast.unparse(call.args[0])}")
        elif name == "add_column" and not _may_be_left_out(ast.unparse(call)):
            found.append(f"line {call.lineno}: a new column needs a default on the server, or to be nullable")
    return found


def _rewrites(statement: ast.expr) -> bool:
    return isinstance(statement, ast.Constant) and str(statement.value).upper().startswith(REWRITES)


def _may_be_left_out(column: str) -> bool:
    return "server_default=" in column or "nullable=False" not in column


@pytest.mark.parametrize("path", sorted(VERSIONS.glob("0*.py")), ids=lambda path: path.stem)
def test_a_migration_is_safe_while_the_previous_version_runs(path: Path) -> None:
    assert objections(path.read_text()) == []


@pytest.mark.parametrize(
    ("step", "objection"),
    [
        ("op.drop_column('slices', 'seq')", "drop_column"),
        ("op.alter_column('slices', 'seq', nullable=False)", "alter_column"),
        ("op.rename_table('slices', 'parts')", "rename_table"),
        ("op.execute('UPDATE slices SET seq = 0')", "UPDATE slices"),
        ("op.add_column('slices', sa.Column('new', sa.Text(), nullable=False))", "a new column needs a default"),
    ],
)
def test_a_step_that_the_previous_version_would_notice_is_found(step: str, objection: str) -> None:
    assert objection in objections(f"def upgrade():\n    _step()\n\ndef _step():\n    {step}\n")[0]


def test_what_adds_is_no_objection() -> None:
    steps = (
        "op.add_column('slices', sa.Column('new', sa.Text(), server_default='', nullable=False))",
        "op.create_index('ix', 'slices', ['new'])",
    )
    assert (
        objections("def upgrade():\n    " + "\n    ".join(steps) + "\n\ndef downgrade():\n    op.drop_table('x')\n")
        == []
    )
