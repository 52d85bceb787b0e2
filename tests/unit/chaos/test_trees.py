"""The tree under fire changes in every way there is, the same for the same seed, and its history knows it all."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from chaos.facts import Breach, Hit
from chaos.judge import judge_answer
from chaos.trees import SourceTree


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    return grown(tmp_path)


def grown(place: Path, seed: int = 1) -> SourceTree:
    place.mkdir(exist_ok=True)
    return SourceTree(place / "tree", place, 20, random.Random(seed))


def is_rewritten(tree: SourceTree, path: str) -> bool:
    """Whether a file has two revisions that have no line in common but those around every body."""
    versions = tree.history.versions(path)
    lines = [{line for line in version.splitlines() if b"_stamp_" in line} for version in versions]
    return len(versions) == 2 and not lines[0] & lines[1]


def test_a_seed_says_what_the_tree_becomes(tmp_path: Path) -> None:
    trees = [grown(tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    for each in trees:
        each.change(10)
    assert trees[0].files() == trees[1].files() != trees[2].files()


def test_files_are_edited_deleted_restored_and_put_back(tree: SourceTree) -> None:
    before, gone, restored = tree.files(), set(), set()
    for _ in range(10):
        tree.change(20)
        gone |= before.keys() - tree.files().keys()
        restored |= gone & tree.files().keys()
    assert tree.edits == 200
    assert gone
    assert restored
    histories = [tree.history.versions(path) for path in before]
    assert any(
        versions[n] == versions[n + 2] != versions[n + 1] for versions in histories for n in range(len(versions) - 2)
    )


def test_every_content_stands_in_the_history(tree: SourceTree) -> None:
    for _ in range(10):
        tree.change(10)
        assert all(content in tree.history.versions(path) for path, content in tree.files().items())


def test_a_rewritten_file_shares_no_line_with_what_it_was(tree: SourceTree) -> None:
    """So that the checker can tell its revisions apart: a hit of each at once is found out."""
    while not (found := [path for path in tree.files() if is_rewritten(tree, path)]):
        tree.change(10)
    path = found[0]
    older, newer = (version.decode().splitlines(True) for version in tree.history.versions(path))
    hits = [Hit(path, 2, 3, "".join(older[1:3])), Hit(path, 20, 21, "".join(newer[19:21]))]
    assert judge_answer(tree.history, hits[:1]) == judge_answer(tree.history, hits[1:]) == []
    assert [violation.breach for violation in judge_answer(tree.history, hits)] == [Breach.MIXED]
