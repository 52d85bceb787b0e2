"""A tree to ingest, and ways to look at a walk of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plan import Found, WalkItem
from pipeline.policy import Policy, Skip, SkipReason
from worker.sources.directory import DirectorySource

Plant = Callable[..., Path]


class Walk:
    """A finished walk."""

    def __init__(self, root: Path, policy: Policy, only: str) -> None:
        with DirectorySource(root, policy, only=only) as source:
            self.items: list[WalkItem] = list(source.walk())
            self.complete = source.complete

    @property
    def paths(self) -> list[str]:
        """The paths of the admitted files, in the walk's order."""
        return [item.path for item in self.items if isinstance(item, Found)]

    @property
    def skips(self) -> dict[str, SkipReason]:
        """Why each skipped path was skipped."""
        return {item.path: item.reason for item in self.items if isinstance(item, Skip)}

    @property
    def rest(self) -> list[WalkItem]:
        """What is neither admitted nor skipped."""
        return [item for item in self.items if not isinstance(item, Found | Skip)]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty directory to plant files in, with nothing of pytest's in it."""
    root = tmp_path / "tree"
    root.mkdir()
    return root


@pytest.fixture
def plant(tree: Path) -> Plant:
    """Write files below the tree: ``plant("a/b.py", text="x")``; returns the last one's path."""

    def write(*paths: str, text: str = "text\n") -> Path:
        for path in paths:
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        return tree / paths[-1]

    return write


@pytest.fixture
def walk(tree: Path) -> Callable[..., Walk]:
    """Walk the tree, or another root."""

    def run(root: Path = tree, policy: Policy | None = None, *, only: str = "") -> Walk:
        return Walk(root, policy or Policy(), only)

    return run


@pytest.fixture
def as_nobody(pytestconfig: pytest.Config) -> Callable[..., str]:
    """Run a program in its own process, where ``drop()`` gives root's rights away; return what it prints."""

    def run(program: str, *arguments: object) -> str:
        preamble = "import os, sys\ndef drop():\n    if os.geteuid() == 0: os.seteuid(65534)\n"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(pytestconfig.rootpath)}
        done = subprocess.run(
            [sys.executable, "-c", preamble + program, *map(str, arguments)],
            env=environment, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
