from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import Unreadable
from pipeline.policy import Policy, Skip, SkipReason
from pipeline.sources import FileContent, Vanished
from worker.sources import reading
from worker.sources.reading import read_file, stat_key

Plant = Callable[..., Path]

POLICY = Policy(max_file_bytes=100)


@pytest.fixture
def root_fd(tree: Path) -> Iterator[int]:
    fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_a_file_is_read_whole_with_the_stat_it_had(root_fd: int, plant: Plant) -> None:
    path = plant("d/a.py", text="x = 1\n")
    content = read_file(root_fd, "d/a.py", POLICY)
    assert isinstance(content, FileContent)
    assert (content.data, content.stat) == (b"x = 1\n", stat_key(path.stat()))


def test_a_file_of_ten_megabytes_is_read_whole_when_the_limit_is_raised(root_fd: int, plant: Plant) -> None:
    text = "x = 1\n" * (10_000_000 // 6)
    plant("large.py", text=text)
    skip = read_file(root_fd, "large.py", Policy())
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.TOO_LARGE
    content = read_file(root_fd, "large.py", Policy(max_file_bytes=10_000_000))
    assert isinstance(content, FileContent)
    assert content.data == text.encode()


def test_an_empty_file_has_content(root_fd: int, plant: Plant) -> None:
    plant("a", text="")
    content = read_file(root_fd, "a", POLICY)
    assert isinstance(content, FileContent)
    assert content.data == b""


def test_the_stat_of_a_fresh_file_is_not_trusted_and_that_of_an_old_one_would_be(root_fd: int, plant: Plant) -> None:
    plant("a")
    content = read_file(root_fd, "a", POLICY)
    assert isinstance(content, FileContent)
    assert content.trusted_stat is None
    later = FileContent(content.data, content.stat, content.observed_at_ns + 3_000_000_000)
    assert later.trusted_stat == content.stat


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x" * 101, SkipReason.TOO_LARGE),
        ("a\0b", SkipReason.BINARY),
        ("-----BEGIN PRIVATE KEY-----\n", SkipReason.SECRET),
    ],
)
def test_content_that_is_not_admitted_is_a_skip(root_fd: int, plant: Plant, text: str, reason: SkipReason) -> None:
    plant("a.txt", text=text)
    skip = read_file(root_fd, "a.txt", POLICY)
    assert isinstance(skip, Skip)
    assert (skip.path, skip.reason) == ("a.txt", reason)


def test_what_became_a_link_a_pipe_or_a_directory_is_a_skip(root_fd: int, tree: Path) -> None:
    (tree / "link").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    (tree / "directory").mkdir()
    assert read_file(root_fd, "link", POLICY) == Skip("link", SkipReason.SYMLINK)
    assert read_file(root_fd, "pipe", POLICY) == Skip("pipe", SkipReason.NOT_A_FILE)
    assert read_file(root_fd, "directory", POLICY) == Skip("directory", SkipReason.NOT_A_FILE)


def test_a_link_on_the_way_is_not_followed(root_fd: int, tree: Path) -> None:
    (tree / "d").symlink_to("/etc")
    with pytest.raises(Vanished):
        read_file(root_fd, "d/passwd", POLICY)


@pytest.mark.parametrize("path", ["nothing", "nothing/a", "file/a"])
def test_a_file_that_is_gone_has_vanished(root_fd: int, plant: Plant, path: str) -> None:
    plant("file")
    with pytest.raises(Vanished):
        read_file(root_fd, path, POLICY)


def test_a_file_that_grows_whenever_it_is_read_is_unreadable(root_fd: int, tree: Path) -> None:
    path = tree / "log"
    path.touch()
    os.truncate(path, 32 * 1024 * 1024)
    quiet = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not quiet.is_set():
                file.write(b"x")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(Unreadable, match="changes while it is read; run the ingestion again when it is quiet"):
            read_file(root_fd, "log", Policy(max_file_bytes=1024**3))
    finally:
        quiet.set()
        writer.join()


def test_a_file_whose_size_is_not_that_of_its_content_is_never_taken_for_whole() -> None:
    fd = os.open("/proc/self", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(Unreadable):
            read_file(fd, "status", Policy())
    finally:
        os.close(fd)


def test_a_file_that_changed_within_the_last_tick_may_be_changing_still(tree: Path) -> None:
    """The status alone would not show it: the kernel's clock for changes stands still for up to 10 ms."""
    path = tree / "fresh.py"
    path.write_text("x = 1\n")
    status = path.stat()
    assert reading._is_fresh(status, status.st_ctime_ns + 1_000_000)
    assert not reading._is_fresh(status, status.st_ctime_ns + 1_000_000_000)


def test_a_change_in_the_future_does_not_make_a_file_unreadable(tree: Path) -> None:
    """The clock of a file server may be ahead of ours."""
    ahead = os.stat_result((0o100644, 1, 1, 1, 0, 0, 0, 0, 0, 0), {"st_ctime_ns": time.time_ns() + 3_600_000_000_000})
    assert not reading._is_fresh(ahead, time.time_ns())
