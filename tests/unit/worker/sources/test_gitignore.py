from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import TooLarge
from pipeline.plan import Found
from pipeline.policy import Policy, SkipReason
from worker.sources.directory import DirectorySource
from worker.sources.gitignore import MAX_IGNORE_BYTES, Ignores, parse_rules, read_rules, rules_above

Plant = Callable[..., Path]
WalkOf = Callable[..., Any]

GIT = shutil.which("git") or "git"

#: Only what git itself leaves out is left out, so that both sides see the same tree.
BARE = Policy(excluded_names=frozenset({".git"}))

NAMES = [
    b"a", b"b", b"ab", b"foo", b"bar", b"foobar", b"a.c", b"b.q", b"x-y", b"f\n", "café".encode(), b"[z]", b"sp ",
    b"\\w", b"!n", b"#h", b"*", b"foo\t",
]  # fmt: skip
ATOMS = [
    b"a", b"b", b"foo", b"bar", b"*", b"**", b"?", b"[a-c]", b"[!a]", b"[^b]", b"/", b"/", b"/**/", b"**/", b"/**",
    b".c", b"*.q", b"\\", b"[", b"]", b" ", b"\\ ", b"!", b"#", b"[[:alpha:]]", b"[[:nope:]]", b"[z-a]", b"[]a]",
    b"[a", b"\\[z]", b"caf?", b"caf??", b"\xc3", b"***", b"-", b"\t", b"x-y", b"[x-]", b"[a/b]", b"[+--]", b"[!]a]",
    b"[\\]]", b"\r", b"\\/", b"**\\/", b"*a*b",
]  # fmt: skip


def git(directory: Path, *arguments: str) -> bytes:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return subprocess.run([GIT, *arguments], cwd=directory, env=environment, capture_output=True, check=True).stdout


def seen_by_git(directory: Path) -> set[bytes]:
    return set(git(directory, "ls-files", "-coz", "--exclude-standard").split(b"\0")) - {b""}


def seen_by_us(directory: Path) -> set[bytes]:
    with DirectorySource(directory, BARE) as source:
        return {item.path.encode() for item in source.walk() if isinstance(item, Found)}


def random_line(seed: random.Random) -> bytes:
    glob = b"".join(seed.choice(ATOMS) for _ in range(seed.randint(1, 4)))
    return b"!" * (seed.random() < 0.3) + b"/" * (seed.random() < 0.2) + glob + b"/" * (seed.random() < 0.3)


def random_tree(seed: random.Random, top: Path, depth: int = 0) -> None:
    for name in seed.sample(NAMES, seed.randint(1, 6)):
        path = top / os.fsdecode(name)
        if seed.random() < 0.5 and depth < 4:
            path.mkdir()
            random_tree(seed, path, depth + 1)
        else:
            path.touch()
    if seed.random() < (0.3 if depth else 0.9):
        lines = [random_line(seed) for _ in range(seed.randint(1, 6))]
        (top / ".gitignore").write_bytes(b"\n".join(lines) + b"\n" * (seed.random() < 0.8))


@pytest.mark.parametrize("number", range(30))
def test_random_rules_on_random_trees_leave_what_git_leaves(tree: Path, number: int) -> None:
    seed = random.Random(number)
    git(tree, "init", "-q")
    random_tree(seed, tree)
    (tree / ".git" / "info" / "exclude").write_bytes(random_line(seed))
    assert seen_by_us(tree) == seen_by_git(tree)


@pytest.mark.parametrize(
    ("rules", "planted", "left"),
    [
        ("foo\n!bar\n", ["bar/foo/x", "bar/y"], ["bar/y"]),
        ("*/\n!a/\n", ["a/c/x", "a/y", "b/z"], ["a/y"]),
        ("foo/**/\n", ["foo/x", "foo/d/y"], ["foo/x"]),
        ("foo**/bar\n", ["foobar", "fooa/b/bar", "other"], ["other"]),
        ("build\n!build/keep\n", ["build/keep", "a"], ["a"]),
        ("build/*\n!build/keep\n", ["build/keep", "build/x"], ["build/keep"]),
        ("build/\n", ["build", "src/build/x"], ["build"]),
        ("*.log\n!keep.log\n", ["a.log", "d/keep.log"], ["d/keep.log"]),
        ("/top\n", ["top", "d/top"], ["d/top"]),
        ("d/x\n", ["d/x", "e/d/x"], ["e/d/x"]),
        ("**/x/**\n", ["x/a", "d/x/b", "d/y"], ["d/y"]),
        ("a/**/b\n", ["a/b", "a/c/d/b", "a/x"], ["a/x"]),
        ("f\n", ["f\n", "f"], ["f\n"]),
        ("caf?\n", ["café"], ["café"]),
        ("caf??\n", ["café", "x"], ["x"]),
        ("a \nb\\ \n", ["a", "b ", "b"], ["b"]),
        ("a\r\n", ["a", "b"], ["b"]),
        ("\ufeffa\n", ["a", "b"], ["b"]),
        ("\\#a\n#b\n\\!c\n", ["#a", "b", "!c"], ["b"]),
        ("a", ["a", "b"], ["b"]),
        ("[z-a]\n[\nx\\\n!\n/\n", ["a", "["], ["[", "a"]),
    ],
)
def test_rules_that_are_easy_to_get_wrong(
    tree: Path, plant: Plant, walk: WalkOf, rules: str, planted: list[str], left: list[str]
) -> None:
    git(tree, "init", "-q")
    plant(*planted)
    plant(".gitignore", text=rules)
    assert [path for path in walk().paths if path != ".gitignore"] == left
    assert seen_by_us(tree) == seen_by_git(tree)


def test_the_deepest_file_with_an_opinion_wins(plant: Plant, walk: WalkOf) -> None:
    plant("a.txt", "d/a.txt", "d/e/a.txt", "d/b.log")
    plant(".gitignore", text="*.txt\n*.log\n")
    plant("d/.gitignore", text="!a.txt\n")
    plant("d/e/.gitignore", text="/a.txt\n")
    assert walk().paths == [".gitignore", "d/.gitignore", "d/a.txt", "d/e/.gitignore"]


def test_rules_of_the_repository_around_the_root_hold(tree: Path, plant: Plant, walk: WalkOf) -> None:
    git(tree, "init", "-q")
    plant("p/q/a.py", "p/q/b.log", "p/q/out/c.py", "p/q/excluded", "p/q/again.log")
    plant(".gitignore", text="*.log\n/p/q/out/\n")
    plant("p/.gitignore", text="!q/again.log\n")
    (tree / ".git" / "info" / "exclude").write_text("excluded\n!*.log\n")
    seen = walk(tree / "p" / "q")
    assert seen.paths == ["a.py", "again.log"]
    assert {path.encode() for path in seen.paths} == seen_by_git(tree / "p" / "q")


def test_rules_above_the_repository_do_not_hold(tree: Path, plant: Plant, walk: WalkOf) -> None:
    plant("repo/a.py")
    plant(".gitignore", text="*\n")
    git(tree / "repo", "init", "-q")
    assert walk(tree / "repo").paths == ["a.py"]
    assert rules_above(tree / "repo") == Ignores()


def test_a_directory_in_no_repository_has_its_own_rules_only(tmp_path: Path, plant: Plant, walk: WalkOf) -> None:
    plant("a.py", "b.log")
    plant(".gitignore", text="*.log\n")
    (tmp_path / ".gitignore").write_text("*\n")
    assert walk().paths == [".gitignore", "a.py"]


def test_a_worktree_shares_the_exclude_file_of_its_repository(tmp_path: Path, tree: Path, walk: WalkOf) -> None:
    git(tree, "init", "-q")
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(tree, *identity, "commit", "-q", "--allow-empty", "-m", "first")
    git(tree, "worktree", "add", "-q", str(tmp_path / "second"))
    (tree / ".git" / "info" / "exclude").write_text("excluded\n")
    (tmp_path / "second" / "excluded").touch()
    (tmp_path / "second" / "a.py").touch()
    seen = walk(tmp_path / "second")
    assert seen.paths == ["a.py"]
    assert seen.skips == {".git": SkipReason.EXCLUDED_DIRECTORY, "excluded": SkipReason.GITIGNORED}


@pytest.mark.parametrize("content", [b"gitdir: nowhere\n", b"gitdir: a\0b\n", b"\xff\xfe", b""])
def test_a_damaged_git_file_is_a_repository_without_an_exclude_file(
    tree: Path, plant: Plant, walk: WalkOf, content: bytes
) -> None:
    plant("a.py")
    (tree / ".git").write_bytes(content)
    assert walk().paths == ["a.py"]


def test_bytes_that_are_no_text_do_not_stop_the_walk(tree: Path, plant: Plant, walk: WalkOf) -> None:
    plant("a.py", "b.log")
    (tree / ".gitignore").write_bytes(b"\xff\xfe\0\n\x80*\n*.log\n")
    assert walk().paths == [".gitignore", "a.py"]


def test_an_ignore_file_that_is_a_link_or_a_directory_has_no_rules(tree: Path, plant: Plant, walk: WalkOf) -> None:
    plant("rules", text="*.py\n")
    plant("a.py", "d/.gitignore/x", "d/b.py")
    (tree / ".gitignore").symlink_to("rules")
    assert walk().paths == ["a.py", "d/.gitignore/x", "d/b.py", "rules"]


def test_a_file_without_rules_costs_nothing() -> None:
    assert parse_rules(b"# only a comment\n\n") is None
    assert Ignores().under(None) == Ignores()


def test_an_ignore_file_of_the_largest_size_is_applied_and_a_larger_one_is_an_error(tree: Path) -> None:
    (tree / ".gitignore").write_bytes(b"#" * (MAX_IGNORE_BYTES - 2) + b"\na")
    fd = os.open(tree, os.O_RDONLY)
    try:
        rules = read_rules(fd)
        assert rules is not None
        assert rules.verdict(b"a", b"a", is_directory=False) is True
        (tree / ".gitignore").write_bytes(b"#" * (MAX_IGNORE_BYTES + 1))
        with pytest.raises(TooLarge, match="split it"):
            read_rules(fd)
    finally:
        os.close(fd)
