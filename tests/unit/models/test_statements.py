"""A statement names the columns that it reads: a prepared one fails once a migration has added to what ``*`` is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import models

MODULES = sorted(Path(models.__file__).parent.glob("*.py"))
#: All columns, of one table or of all; neither a product nor ``count(*)``.
STAR = re.compile(r"(?:\bSELECT|\bRETURNING|,)\s*\*|\b\w+\.\*", re.IGNORECASE)


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield each literal with its line; what a formatted one puts in has a line of its own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def stars(source: str) -> list[int]:
    return [line for line, value in texts(source) if STAR.search(value)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_statement_names_its_columns(path: Path) -> None:
    assert stars(path.read_text()) == []


@pytest.mark.parametrize(
    "statement",
    [
        '"SELECT * FROM chunks"',
        '"SELECT c.id," " d.* FROM documents d"',
        'f"SELECT {NAMES}, c.* FROM chunks c"',
        '"INSERT INTO runs (id) VALUES (1) RETURNING *"',
        '"SELECT id, * FROM chunks"',
    ],
)
def test_every_star_is_seen(statement: str) -> None:
    assert stars(statement) == [1]


@pytest.mark.parametrize("statement", ['"SELECT count(*) FROM chunks"', '"SELECT 5 * 2 ^ least(n, 10) FROM slices"'])
def test_what_counts_or_multiplies_is_no_star(statement: str) -> None:
    assert stars(statement) == []
