"""An upload is a partial walk of exactly what was sent, under the policy of every other source."""

from __future__ import annotations

from io import BytesIO

import pytest

from pipeline.plan import Found
from pipeline.policy import Policy, Skip, SkipReason
from pipeline.sources import FileContent
from worker.sources.upload import BadPaths, UploadedFile, UploadSource, require_paths


def source(files: dict[str, bytes], policy: Policy | None = None) -> UploadSource:
    made = [UploadedFile(path, len(data), BytesIO(data)) for path, data in files.items()]
    return UploadSource(made, policy or Policy())


def test_paths_come_in_code_point_order_without_a_status_to_trust() -> None:
    walked = list(source({"b": b"", "a/b": b"", "a.b": b"", "Z": b"", "é": b""}).walk())
    assert walked == [Found(path, "") for path in ("Z", "a.b", "a/b", "b", "é")]


def test_it_never_sees_all_of_a_source_and_covers_only_what_was_sent() -> None:
    made = source({"a": b""})
    assert not made.complete
    assert made.covers("a")
    assert not made.covers("b")


def test_a_file_is_read_whole_and_its_status_proves_nothing() -> None:
    made = source({"a": b"text"})
    for _ in range(2):
        content = made.read("a")
        assert isinstance(content, FileContent)
        assert (content.data, content.trusted_stat) == (b"text", None)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".env", SkipReason.SECRET),
        ("a/.ssh/config", SkipReason.SECRET),
        ("node_modules/x/y.js", SkipReason.EXCLUDED_DIRECTORY),
        ("a/.git/HEAD", SkipReason.EXCLUDED_DIRECTORY),
        ("a.PNG", SkipReason.BINARY),
        ("web/yarn.lock", SkipReason.LOCK),
        ("a.min.js", SkipReason.MINIFIED),
        ("large.txt", SkipReason.TOO_LARGE),
    ],
)
def test_what_its_path_or_size_keeps_out_is_skipped_under_its_own_path(path: str, reason: SkipReason) -> None:
    (skip,) = source({path: b"12345"}, Policy(max_file_bytes=4 if reason is SkipReason.TOO_LARGE else 5)).walk()
    assert isinstance(skip, Skip)
    assert (skip.path, skip.reason) == (path, reason)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"a\0b", SkipReason.BINARY), (b"-----BEGIN RSA PRIVATE KEY-----\n", SkipReason.SECRET)]
)
def test_what_its_content_keeps_out_is_skipped(data: bytes, reason: SkipReason) -> None:
    skip = source({"a": data}).read("a")
    assert isinstance(skip, Skip)
    assert skip.reason is reason


def test_a_size_that_was_told_wrong_does_not_get_past_the_limit() -> None:
    made = UploadSource([UploadedFile("a", 1, BytesIO(b"12345"))], Policy(max_file_bytes=4))
    skip = made.read("a")
    assert isinstance(skip, Skip)
    assert skip.reason is SkipReason.TOO_LARGE


def test_closing_lets_the_files_go() -> None:
    content = BytesIO(b"x")
    made = UploadSource([UploadedFile("a", 1, content)], Policy())
    made.close()
    made.close()
    assert content.closed


@pytest.mark.parametrize("path", ["a", "a/b.c", "…/ü", ".hidden", "a b", "a\\b", "x" * 1_024, "a..b", "C:x"])
def test_a_plain_relative_path_is_fine(path: str) -> None:
    require_paths([path])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "empty"),
        ("/a", "absolute"),
        ("..", r"'\.\.'"),
        ("a/../b", r"'\.\.'"),
        ("a/./b", "empty part"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a\nb", "control characters"),
        ("a\0", "control characters"),
        ("\x85", "control characters"),
        ("\u2029", "control characters"),
        ("\udcff", "not valid UTF-8"),
        ("ü" * 513, "1,024 bytes"),
    ],
)
def test_a_bad_path_is_refused_with_its_reason(path: str, why: str) -> None:
    with pytest.raises(BadPaths, match=why):
        require_paths(["fine", path])


def test_a_message_names_a_few_paths_and_counts_the_others() -> None:
    with pytest.raises(BadPaths, match=r"'a': it was sent twice.*; and 3 more") as caught:
        require_paths(["a", "a", *(f"/{number}" for number in range(7))])
    assert "/6" not in str(caught.value)
