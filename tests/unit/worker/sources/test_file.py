from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.plan import Found
from pipeline.policy import Policy, Skip, SkipReason
from pipeline.sources import FileContent, Vanished
from worker.sources import SourceMissing
from worker.sources.file import FileSource

Plant = Callable[..., Path]


def only_item(path: Path) -> object:
    with FileSource(path, Policy()) as source:
        (item,) = source.walk()
        assert not source.complete
    return item


def test_a_single_file_is_found_and_read_under_its_own_name(plant: Plant) -> None:
    path = plant("d/a.py", text="x\n")
    with FileSource(path, Policy()) as source:
        (found,) = source.walk()
        assert isinstance(found, Found)
        assert found.path == "a.py"
        content = source.read("a.py")
        assert isinstance(content, FileContent)
        assert (content.data, content.stat) == (b"x\n", found.stat)


def test_a_secret_binary_or_large_file_is_a_skip_even_when_it_is_named(plant: Plant) -> None:
    for name, reason in {".env": SkipReason.SECRET, "a.png": SkipReason.BINARY}.items():
        item = only_item(plant(name))
        assert isinstance(item, Skip)
        assert (item.path, item.reason) == (name, reason)


def test_content_is_judged_as_well(plant: Plant) -> None:
    with FileSource(plant("a.txt", text="\0"), Policy()) as source:
        assert source.read("a.txt") == Skip("a.txt", SkipReason.BINARY, "a NUL byte")


def test_an_ignored_file_that_is_named_is_admitted(plant: Plant) -> None:
    plant(".gitignore", text="*\n")
    assert isinstance(only_item(plant("a.py")), Found)


def test_a_link_is_resolved_but_does_not_hide_a_secret(tree: Path, plant: Plant) -> None:
    plant("a.py", ".env")
    (tree / "link.py").symlink_to("a.py")
    (tree / "notes.txt").symlink_to(".env")
    (tree / "odd.txt").symlink_to(os.fsdecode(b"caf\xe9.txt"))
    (tree / os.fsdecode(b"caf\xe9.txt")).write_text("odd")
    assert getattr(only_item(tree / "link.py"), "path", None) == "link.py"
    assert only_item(tree / "notes.txt") == Skip("notes.txt", SkipReason.SECRET, ".env")
    with FileSource(tree / "odd.txt", Policy()) as source:
        content = source.read("odd.txt")
    assert isinstance(content, FileContent)
    assert content.data == b"odd"


def test_a_name_that_is_not_utf_8_is_a_skip(tree: Path) -> None:
    path = tree / os.fsdecode(b"caf\xe9.py")
    path.touch()
    assert only_item(path) == Skip("caf\\xe9.py", SkipReason.UNDECODABLE_PATH)


@pytest.mark.parametrize("name", ["missing", "a.py/below", "pipe", "loop", "broken", "directory", "nul\0", "x" * 300])
def test_what_is_no_readable_file_is_a_clear_error(tree: Path, plant: Plant, name: str) -> None:
    plant("a.py", "directory/b")
    os.mkfifo(tree / "pipe")
    (tree / "loop").symlink_to("loop")
    (tree / "broken").symlink_to("nowhere")
    with pytest.raises(SourceMissing, match="cannot be ingested: "):
        FileSource(tree / name, Policy())


def test_a_file_that_may_not_be_read_is_a_clear_error(as_nobody: Callable[..., str]) -> None:
    program = """
import tempfile
from pathlib import Path
from pipeline.policy import Policy
from worker.sources import SourceMissing
from worker.sources.file import FileSource
with tempfile.TemporaryDirectory() as directory:
    Path(directory).chmod(0o755)
    path = Path(directory, "a.py")
    path.touch(mode=0)
    drop()
    try:
        FileSource(path, Policy())
    except SourceMissing as exc:
        print(exc)
    os.seteuid(os.getuid())
"""
    assert "a.py' cannot be ingested: permission denied" in as_nobody(program)


def test_a_file_that_vanishes_is_an_outcome_of_its_own(plant: Plant) -> None:
    path = plant("a.py")
    with FileSource(path, Policy()) as source:
        path.unlink()
        with pytest.raises(Vanished):
            source.read("a.py")


def test_another_path_is_refused(plant: Plant) -> None:
    with FileSource(plant("a.py"), Policy()) as source, pytest.raises(ValueError, match=r"holds 'a\.py' only"):
        source.read("b.py")


def test_closing_twice_is_safe(plant: Plant) -> None:
    source = FileSource(plant("a.py"), Policy())
    source.close()
    source.close()
