from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.plan import Found, Unreadable
from pipeline.policy import Policy, Skip, SkipReason
from pipeline.sources import FileContent, Vanished
from worker.sources import SourceMissing
from worker.sources.directory import DirectorySource

#: Fixtures of conftest.py, which tests cannot import from.
Plant = Callable[..., Path]
WalkOf = Callable[..., Any]


def dig(root: Path, parts: list[str], file: str) -> None:
    """Make a file at a path that is too long for one system call."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for part in parts:
        os.mkdir(part, dir_fd=fd)
        below = os.open(part, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)


def test_an_empty_directory_is_a_complete_walk_of_nothing(walk: WalkOf) -> None:
    seen = walk()
    assert seen.items == []
    assert seen.complete


def test_paths_come_in_code_point_order_of_the_whole_path(plant: Plant, walk: WalkOf) -> None:
    paths = ["a/x", "a-b", "a.b/x", "a0", "a", "B", "ab/c/d", "ab-c", "é", "\uffee", "\U0001f600", "a\nb", "z/é/b"]
    planted = [path for path in paths if path != "a"]
    plant(*planted)
    assert walk().paths == sorted(planted)
    assert walk().paths == [path.decode() for path in sorted(path.encode() for path in planted)]


def test_random_trees_come_in_order(plant: Plant, walk: WalkOf) -> None:
    seed = random.Random(5)
    names = ["a", "a-", "a.", "a0", "A", "é", " ", "~"]
    planted = {
        "/".join(f"{seed.choice(names)}d" for _ in range(seed.randint(0, 4))) + "/" + seed.choice(names) + "f"
        for _ in range(300)
    }
    plant(*(path.lstrip("/") for path in planted))
    assert walk().paths == sorted(path.lstrip("/") for path in planted)


def test_a_stat_key_changes_with_the_file(plant: Plant, walk: WalkOf) -> None:
    path = plant("a")
    (before,) = walk().items
    path.write_text("longer than before\n")
    (after,) = walk().items
    assert before.stat.split(":")[0] == "5"
    assert before.stat != after.stat
    assert len(after.stat.split(":")) == 5


def test_completeness_is_known_only_at_the_end(tree: Path, plant: Plant) -> None:
    plant("a", "b")
    with DirectorySource(tree, Policy()) as source:
        items = source.walk()
        next(items)
        assert not source.complete
        list(items)
        assert source.complete
        next(source.walk())
        assert not source.complete


def test_excluded_and_ignored_directories_are_one_skip_each(plant: Plant, walk: WalkOf) -> None:
    plant("node_modules/x/y.js", "node_modules/z.js", "out/a/b.py", "out/c.py", "src/a.py", ".git/config", ".ssh/id")
    plant(".gitignore", text="/out/\n*.log\n")
    plant("src/x.log")
    seen = walk()
    assert seen.paths == [".gitignore", "src/a.py"]
    assert seen.skips == {
        ".git/": SkipReason.EXCLUDED_DIRECTORY,
        ".ssh/": SkipReason.SECRET,
        "node_modules/": SkipReason.EXCLUDED_DIRECTORY,
        "out/": SkipReason.GITIGNORED,
        "src/x.log": SkipReason.GITIGNORED,
    }
    assert seen.complete


def test_secret_binary_large_and_empty_files_are_judged_without_reading(plant: Plant, walk: WalkOf) -> None:
    plant(".env", "logo.png")
    plant("large.txt", text="x" * 11)
    plant("empty.py", text="")
    seen = walk(policy=Policy(max_file_bytes=10))
    assert seen.paths == ["empty.py"]
    assert list(seen.skips.values()) == [SkipReason.SECRET, SkipReason.TOO_LARGE, SkipReason.BINARY]


def test_links_are_never_followed_and_say_where_they_lead(tree: Path, plant: Plant, walk: WalkOf) -> None:
    plant("real/a.py", "deep/er/b.py")
    for link, target in {
        "to-file": "real/a.py",
        "to-directory": "real",
        "outside": "/etc",
        "to-parent": "..",
        "broken": "nowhere",
        "broken-below-a-file": "real/a.py/x",
        "self": "self",
        "to-root": ".",
        "deep/er/up": "..",
        "chain": "outside",
    }.items():
        (tree / link).symlink_to(target)
    seen = walk()
    assert seen.paths == ["deep/er/b.py", "real/a.py"]
    assert seen.skips == {
        "to-file": SkipReason.SYMLINK,
        "to-directory": SkipReason.SYMLINK,
        "outside": SkipReason.SYMLINK_OUTSIDE,
        "to-parent": SkipReason.SYMLINK_OUTSIDE,
        "broken": SkipReason.SYMLINK_BROKEN,
        "broken-below-a-file": SkipReason.SYMLINK_BROKEN,
        "self": SkipReason.SYMLINK_LOOP,
        "to-root": SkipReason.SYMLINK_LOOP,
        "deep/er/up": SkipReason.SYMLINK_LOOP,
        "chain": SkipReason.SYMLINK_OUTSIDE,
    }
    assert seen.complete


def test_a_sibling_with_the_roots_name_as_its_beginning_is_outside(tree: Path, walk: WalkOf) -> None:
    (tree.parent / "tree-2").mkdir()
    (tree / "link").symlink_to("../tree-2")
    assert walk().skips == {"link": SkipReason.SYMLINK_OUTSIDE}


def test_the_root_itself_may_be_a_link(tmp_path: Path, tree: Path, plant: Plant, walk: WalkOf) -> None:
    plant("a.py")
    (tree / "inside").symlink_to("a.py")
    (tmp_path / "link").symlink_to(tree)
    seen = walk(tmp_path / "link")
    assert seen.paths == ["a.py"]
    assert seen.skips == {"inside": SkipReason.SYMLINK}


def test_a_pipe_is_no_file_and_does_not_block(tree: Path, walk: WalkOf) -> None:
    os.mkfifo(tree / "pipe")
    os.mkfifo(tree / ".gitignore")
    assert walk().skips == {".gitignore": SkipReason.NOT_A_FILE, "pipe": SkipReason.NOT_A_FILE}


def test_names_that_are_not_utf_8_are_skipped_and_shown_escaped(tree: Path, walk: WalkOf) -> None:
    (tree / os.fsdecode(b"caf\xe9.py")).write_text("x")
    (tree / os.fsdecode(b"d\xff")).mkdir()
    (tree / os.fsdecode(b"d\xff") / "a.py").write_text("x")
    seen = walk()
    assert seen.paths == []
    assert seen.skips == {"caf\\xe9.py": SkipReason.UNDECODABLE_PATH, "d\\xff/": SkipReason.UNDECODABLE_PATH}
    assert all(path.encode() for path in seen.skips)
    assert seen.complete


def test_a_name_with_a_newline_is_a_name_like_any_other(tree: Path, plant: Plant) -> None:
    plant("a\nb/c\n.py", text="x\n")
    with DirectorySource(tree, Policy()) as source:
        assert [item.path for item in source.walk()] == ["a\nb/c\n.py"]
        content = source.read("a\nb/c\n.py")
    assert isinstance(content, FileContent)
    assert content.data == b"x\n"


def test_a_path_of_4000_characters_is_walked_and_read_and_one_over_the_limit_is_skipped(tree: Path) -> None:
    dig(tree, ["d" * 199] * 20, "f")
    dig(tree, ["e" * 255] * 16, "f")
    with DirectorySource(tree, Policy()) as source:
        long, too_long = source.walk()
        assert source.complete
        assert isinstance(long, Found)
        assert len(long.path) == 4001
        assert isinstance(source.read(long.path), FileContent)
    assert too_long == Skip("/".join(["e" * 255] * 16) + "/f", SkipReason.PATH_TOO_LONG)


def test_a_walk_confined_to_a_path_sees_that_path_only_and_is_not_complete(plant: Plant, walk: WalkOf) -> None:
    plant("a/b/c.py", "a/b/d.py", "a/bb.py", "z.py")
    plant("a/.gitignore", text="d.py\n")
    assert walk(only="a/b").paths == ["a/b/c.py"]
    assert walk(only="./a//b/").skips == {"a/b/d.py": SkipReason.GITIGNORED}
    assert walk(only="a/b/c.py").paths == ["a/b/c.py"]
    assert walk(only="z.py").paths == ["z.py"]
    assert not walk(only="a").complete


@pytest.mark.parametrize("only", ["nothing", "a/nothing", "../tree", "a.py/x", "nul\0", "\ud800"])
def test_a_walk_cannot_be_confined_to_what_is_not_there(tree: Path, plant: Plant, only: str) -> None:
    plant("a.py")
    with pytest.raises(SourceMissing, match="cannot be ingested"):
        DirectorySource(tree, Policy(), only=only)


@pytest.mark.parametrize("name", ["missing", "file/below", "file", "loop", "nul\0"])
def test_a_root_that_is_no_directory_is_a_clear_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SourceMissing, match="cannot be ingested: "):
        DirectorySource(tmp_path / name, Policy())


def test_a_directory_that_vanishes_under_the_walk_makes_it_incomplete(tree: Path, plant: Plant) -> None:
    plant("a.py", "gone/b.py", "z.py")
    with DirectorySource(tree, Policy()) as source:
        items = source.walk()
        assert next(items).path == "a.py"
        (tree / "gone" / "b.py").unlink()
        (tree / "gone").rmdir()
        lost, last = items
        assert isinstance(lost, Unreadable)
        assert lost.path == "gone/"
        assert last.path == "z.py"
        assert not source.complete


def test_a_directory_that_becomes_a_link_under_the_walk_is_not_followed(tree: Path, plant: Plant) -> None:
    plant("a.py", "d/b.py")
    with DirectorySource(tree, Policy()) as source:
        items = source.walk()
        next(items)
        (tree / "d").rename(tree / "moved")
        (tree / "d").symlink_to("/etc")
        (lost,) = items
        assert isinstance(lost, Unreadable)
        assert not source.complete
        with pytest.raises(Vanished):
            source.read("d/passwd")


def test_a_root_that_vanishes_is_an_incomplete_walk(tree: Path) -> None:
    with DirectorySource(tree, Policy()) as source:
        tree.rmdir()
        (lost,) = source.walk()
        assert lost.path == "./"
        assert not source.complete


def test_a_file_that_vanishes_after_the_walk_is_an_outcome_of_its_own(tree: Path, plant: Plant) -> None:
    path = plant("d/a.py")
    with DirectorySource(tree, Policy()) as source:
        (found,) = source.walk()
        path.unlink()
        with pytest.raises(Vanished):
            source.read(found.path)
        path.parent.rmdir()
        with pytest.raises(Vanished):
            source.read(found.path)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../secret", "", "./a"])
def test_no_path_leads_out_of_the_root(tree: Path, plant: Plant, path: str) -> None:
    plant("a/x", "../secret")
    with DirectorySource(tree, Policy()) as source, pytest.raises(ValueError, match="no plain relative path"):
        source.read(path)


def test_what_may_not_be_read_is_reported_and_only_a_directory_makes_the_walk_incomplete(
    tree: Path, plant: Plant, as_nobody: Callable[..., str]
) -> None:
    plant("a.py", "closed/b.py", "listed/c.py", "z.py")
    program = """
from pathlib import Path
from pipeline.errors import Unreadable
from pipeline.policy import Policy
from worker.sources.directory import DirectorySource
root = Path(sys.argv[1])
(root / "a.py").chmod(0)
with DirectorySource(root, Policy()) as source:
    drop()
    print([type(item).__name__ + " " + item.path for item in source.walk()], source.complete)
    try:
        source.read("a.py")
    except Unreadable as exc:
        print(exc)
    os.seteuid(os.getuid())
    (root / "closed").chmod(0)
    (root / "listed").chmod(0o744 if os.getuid() == 0 else 0o444)
    drop()
    print([type(item).__name__ + " " + item.path for item in source.walk()], source.complete)
    os.seteuid(os.getuid())
    (root / "closed").chmod(0o755)
    (root / "listed").chmod(0o755)
"""
    first, message, second = as_nobody(program, tree).splitlines()
    assert first == "['Found a.py', 'Found closed/b.py', 'Found listed/c.py', 'Found z.py'] True"
    assert message.startswith("permission denied; make it readable")
    assert second == "['Found a.py', 'Unreadable closed/', 'Unreadable listed/c.py', 'Found z.py'] False"


def test_a_root_that_may_not_be_read_is_a_clear_error(tree: Path, as_nobody: Callable[..., str]) -> None:
    program = """
from pathlib import Path
from pipeline.policy import Policy
from worker.sources import SourceMissing
from worker.sources.directory import DirectorySource
Path(sys.argv[1]).chmod(0)
drop()
try:
    DirectorySource(Path(sys.argv[1]), Policy())
except SourceMissing as exc:
    print(exc)
os.seteuid(os.getuid())
Path(sys.argv[1]).chmod(0o755)
"""
    assert "permission denied" in as_nobody(program, tree)


def test_an_ignore_file_that_cannot_be_applied_is_reported_in_its_place(plant: Plant, walk: WalkOf) -> None:
    plant("!early", "a.py", "z.py")
    plant(".gitignore", text="a.py\n" * 60_000)
    seen = walk()
    assert [item.path for item in seen.items] == ["!early", ".gitignore", "a.py", "z.py"]
    (fault,) = seen.rest
    assert isinstance(fault, Unreadable)
    assert fault.error == "TooLarge"
    assert fault.message.endswith("split it over its directories. Its rules are not applied.")


def test_closing_twice_is_safe(tree: Path) -> None:
    source = DirectorySource(tree, Policy())
    source.close()
    source.close()


def test_no_descriptor_is_left_open(tree: Path, plant: Plant, walk: WalkOf) -> None:
    plant("a/b/c.py", ".env")
    plant(".gitignore", text="x\n")
    walk()
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        walk()
        with DirectorySource(tree, Policy(), only="a") as source:
            source.read("a/b/c.py")
        with pytest.raises(SourceMissing):
            DirectorySource(tree, Policy(), only="nothing")
    assert sorted(Path("/proc/self/fd").iterdir()) == before
