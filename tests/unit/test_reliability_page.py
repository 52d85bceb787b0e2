"""The page on reliability names tests that exist, and shows a run over all kinds of fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chaos.faults import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text()


def test_every_row_of_faults_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|") and "test_" in line]
    assert len(rows) > 30
    assert all(re.search(r"`tests/[\w/]+\.py::test_\w+`", row) for row in rows)


def test_commands_that_the_page_tells_to_run_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^make (\w+)", PAGE, re.MULTILINE)) == {"chaos"}
    assert "\nchaos: " in makefile
    commands = "\n".join(path.read_text() for path in (ROOT / "worker" / "cli").glob("*.py"))
    for command in set(re.findall(r"`mobius (\w+)", PAGE)):
        assert re.search(rf"\b{command}\b", commands), command


def test_the_run_that_the_page_shows_had_every_kind_of_fault() -> None:
    table = PAGE.partition("## A run, and its figures")[2].partition("\n## ")[0]
    shown = set(re.findall(r"^\| ([^|]+?) \| \d+ \| \d+ \|", table, re.MULTILINE))
    assert shown == set(KINDS)
