"""The nearest known directory around a path is the source that it belongs to."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.intake import SourceRef
from pipeline.policy import Policy
from pipeline.types import Scope
from worker.cli.names import MAX_SOURCE_BYTES
from worker.cli.targets import WrongPath, _name_of, _require_utf8, innermost, open_path
from worker.sources import SourceMissing

SCOPE = Scope(uuid4(), uuid4())


def source(root: Path, name: str = "") -> SourceRef:
    return SourceRef(uuid4(), SCOPE, "t", "p", name or str(root), str(root))


def test_the_innermost_source_around_a_path_wins(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    outer, inner = source(tmp_path), source(tmp_path / "a")
    assert innermost([outer, inner], str(tmp_path / "a/b/c.py")) is inner
    assert innermost([outer, inner], str(tmp_path / "ab.py")) is outer
    assert innermost([inner], str(tmp_path / "ab.py")) is None


def test_a_directory_is_around_itself_and_its_plain_name_wins(tmp_path: Path) -> None:
    named, plain = source(tmp_path, "named"), source(tmp_path)
    assert innermost([named], str(tmp_path)) is named
    assert innermost([named, plain], str(tmp_path)) is plain
    assert innermost([plain, named], str(tmp_path)) is plain


def test_a_source_whose_directory_is_gone_is_not_around_anything(tmp_path: Path) -> None:
    assert innermost([source(tmp_path / "gone")], str(tmp_path / "gone/a.py")) is None


def test_the_root_directory_is_around_everything() -> None:
    root = source(Path("/"))
    assert innermost([root], "/etc/hostname") is root


def test_a_path_too_long_for_a_name_is_shortened_and_stays_unique() -> None:
    short, long, other = "/a", "/" + "a" * 4_000, "/b" + "a" * 3_999
    assert _name_of(short) == short
    assert len(_name_of(long).encode()) <= MAX_SOURCE_BYTES
    assert _name_of(long) != _name_of(other)
    assert _name_of("/" + "ä" * 2_000).endswith("ä")


def test_a_path_that_is_no_utf8_is_refused_with_what_to_do() -> None:
    with pytest.raises(WrongPath, match=r"^/a/\\xff cannot be ingested: its path is not valid UTF-8; rename it\.$"):
        _require_utf8("/a/\udcff")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing", "it does not exist"),
        ("x" * 300, "File name too long"),
        ("/".join(["long" * 50] * 25), "it does not exist"),
        ("loop", "Too many levels of symbolic links"),
        ("file/below", "a part of it is a file"),
        ("pipe", "name a regular file or a directory"),
        ("two\nlines", r"two\\nlines' cannot be ingested: it does not exist"),
    ],
    ids=["missing", "a name too long", "a path too long", "a loop", "below a file", "a pipe", "a newline"],
)
def test_a_path_that_is_no_source_says_why(name: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceMissing, match=reason):
        open_path(tmp_path / name, Policy())
