"""No file can stop an ingestion: what cannot be indexed is named with its reason, and the rest is indexed."""

from __future__ import annotations

import os
import random
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from harness.desk import Desk, files_of, heed_permissions
from harness.trees import function

LIMIT = 20_000
UNREADABLE = "sub/not for\nyou.py"
LONG = 4_000


@dataclass(frozen=True)
class Ingested:
    """A tree full of trouble after one ingestion: the report, and what was printed to people by the second one."""

    desk: Desk
    report: dict[str, Any]
    printed: str


def long_path() -> str:
    """Return a relative path of 4,000 characters that no compression shortens."""
    letters = random.Random(4).choices(string.ascii_letters, k=LONG)
    letters[200::200] = "/" * len(letters[200::200])
    return "".join(letters[: LONG - 3]) + ".py"


def write_far(root: Path, path: str, text: str) -> None:
    """Write a file whose absolute path is longer than the kernel takes at once."""
    *directories, name = path.split("/")
    fd = os.open(root, os.O_RDONLY)
    for directory in directories:
        os.mkdir(directory, dir_fd=fd)
        below = os.open(directory, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=fd), "w") as file:
        file.write(text)
    os.close(fd)


def plant_trouble(root: Path, outside: Path) -> None:
    """Write one of every kind of trouble."""
    (root / "sub").mkdir()
    (root / "sub/.gitignore").write_text("ignored_here.py\n")
    (root / "sub/ignored_here.py").write_text(function("ignored_here"))
    (root / "ignored_here.py").write_text(function("not_ignored_there"))
    (root / "empty.py").write_bytes(b"")
    (root / "broken_syntax.py").write_text("def broken_syntax(:\n    return (((\n\nclass\n" + function("after_it"))
    (root / "latin.py").write_bytes("# Grüße aus der Küche, latin letters\n".encode("latin-1"))
    (root / "wide.txt").write_bytes("Sixteen bits wide: ünïcödé\n".encode("utf-16"))
    (root / "unmarked.txt").write_bytes("Sixteen bits wide and unmarked: ünïcödé\n".encode("utf-16-le"))
    (root / "package-lock.json").write_text("{}\n")
    (root / "dense.js").write_text("f(a,b,c);" * 1_000)
    (root / "new\nline.py").write_text(function("behind_a_newline"))
    (root / UNREADABLE).write_text(function("unreadable"))
    (root / "zero.dat").write_bytes(b"text, and then \0 a NUL byte\n")
    (root / "picture.png").write_bytes(b"\x89PNG\r\n")
    (root / "large.py").write_text("x = 1\n" * LIMIT)
    (root / ".env").write_text("TOKEN=secret\n")
    (root / "out.py").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    (root / "sub/up").symlink_to("..")
    (root / "nowhere.py").symlink_to("is_not_there.py")
    os.mkfifo(root / "pipe.py")
    Path(os.fsdecode(os.fsencode(root) + b"/no_utf8_\xff.py")).write_text(function("no_utf8"))
    write_far(root, long_path(), function("far_away"))
    (root / "locked").mkdir()
    (root / "locked/inside.py").write_text(function("locked_inside"))
    (root / UNREADABLE).chmod(0)
    (root / "locked").chmod(0)


@pytest.fixture(scope="module")
def ingested(crew: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingested]:
    place = tmp_path_factory.mktemp("hostile")
    root = place / "tree"
    root.mkdir()
    (place / "outside.py").write_text(function("outside_of_it"))
    plant_trouble(root, place / "outside.py")
    env = crew.env | {"MOBIUS_MAX_FILE_BYTES": str(LIMIT)}
    desk = Desk(env, "hostile", root, crew.inspection, crew.provider)
    report = desk.ingest(code=3, prepare=heed_permissions)
    printed = desk.run("ingest", root, code=3, prepare=heed_permissions)
    yield Ingested(desk, report, printed.stdout + printed.stderr)
    (root / "locked").chmod(0o700)


INDEXED = {
    "empty.py": "an empty file is a document without chunks",
    "ignored_here.py": "a nested .gitignore rules its own directory only",
    "broken_syntax.py": "a syntax error is no reason to lose a file",
    "latin.py": "a text that is not UTF-8",
    "wide.txt": "a text with a byte order mark",
    "unmarked.txt": "a text of 16 bits without a mark",
    "new\nline.py": "a newline in a path",
    long_path(): "a path of 4,000 characters",
    "sub/.gitignore": "a text file like any other",
}


@pytest.mark.parametrize("path", INDEXED, ids=INDEXED.values())
def test_it_is_indexed_all_the_same(path: str, ingested: Ingested) -> None:
    assert path in ingested.desk.texts()


def test_the_text_of_a_file_in_another_encoding_is_found_as_text(ingested: Ingested) -> None:
    texts = {hit["path"]: hit["text"] for hit in ingested.desk.search("Grüße aus der Küche")}
    assert texts["latin.py"] == "# Grüße aus der Küche, latin letters\n"
    assert texts["wide.txt"].strip("\ufeff") == "Sixteen bits wide: ünïcödé\n"
    assert "def after_it" in texts["broken_syntax.py"]
    assert "def far_away" in texts[long_path()]


def test_every_skipped_path_is_counted_under_its_reason(ingested: Ingested) -> None:
    assert {skip["reason"]: skip["count"] for skip in ingested.report["skipped"]} == {
        "binary": 2,  # zero.dat by its bytes, picture.png by its name
        "gitignored": 1,
        "lock": 1,
        "minified": 1,
        "not_a_file": 1,
        "secret": 1,
        "symlink_broken": 1,
        "symlink_loop": 2,
        "symlink_outside": 1,
        "too_large": 1,
        "undecodable_path": 1,
    }


def test_what_cannot_be_read_is_named_with_its_cause_and_a_remedy(ingested: Ingested) -> None:
    errors = {error["path"]: error for error in ingested.report["errors"]}
    assert errors.keys() == {UNREADABLE, "locked/"}
    assert all("permission denied; make it readable" in error["message"] for error in errors.values())


def test_the_counts_of_documents_add_up(ingested: Ingested) -> None:
    documents = ingested.report["documents"]
    assert documents["indexed"] == len(INDEXED) == len(ingested.desk.texts())
    assert documents["failed"] == 2
    assert documents["skipped"] == sum(skip["count"] for skip in ingested.report["skipped"])
    assert documents["seen"] == documents["indexed"] + documents["failed"] + documents["skipped"]


def test_nothing_secret_ignored_or_from_outside_reached_the_ledger_or_the_provider(ingested: Ingested) -> None:
    names = ("TOKEN=secret", "def ignored_here", "outside_of_it", "locked_inside", "no_utf8")
    sent = "\n".join(ingested.desk.bought())
    assert not any(name in sent for name in names)
    blobs = b"\n".join(ingested.desk.texts().values())
    assert not any(name.encode() in blobs for name in names)


def test_paths_are_printed_on_one_line_each_with_control_characters_escaped(ingested: Ingested) -> None:
    assert "failed     sub/not for\\nyou.py: Unreadable: permission denied" in ingested.printed
    assert "skipped .env: secret" in ingested.printed
    assert "too_large: It is larger than the limit; raise MOBIUS_MAX_FILE_BYTES or split it." in ingested.printed


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".env", "secret: It looks like a secret"),
        ("zero.dat", "binary: It is not text"),
        ("large.py", "too_large: It is larger than the limit"),
        ("package-lock.json", "lock: It records what a package manager chose; take lock out of MOBIUS_SKIP_TRAITS"),
        ("dense.js", "minified: It is written for machines"),
        ("sub/ignored_here.py", "gitignored: A .gitignore rule matches it"),
        ("no_such.py", "it does not exist"),
        ("sub", "it is a directory"),
    ],
)
def test_why_says_why_a_file_is_no_document(path: str, reason: str, ingested: Ingested) -> None:
    assert reason in ingested.desk.refused("why", ingested.desk.tree / path)


def test_why_says_why_a_document_failed_and_what_to_do(ingested: Ingested) -> None:
    shown = ingested.desk.run("why", UNREADABLE).stdout
    assert "sub/not for\\nyou.py" in shown
    assert "error        Unreadable: permission denied; make it readable" in shown
    assert "next action  none: repair the cause and ingest it again" in shown


def test_why_says_what_a_document_was_read_as(ingested: Ingested) -> None:
    shown = ingested.desk.run("why", "unmarked.txt").stdout
    assert "read as      text, utf-16-le, line ends lf; traits: none" in shown


def test_an_unreadable_directory_deletes_nothing_until_it_can_be_read(desk: Desk) -> None:
    (desk.tree / "locked").mkdir()
    (desk.tree / "locked/inside.py").write_text(function(f"{desk.project}_inside"))
    desk.ingest()
    before = desk.points()
    (desk.tree / "second.py").unlink()
    (desk.tree / "locked").chmod(0)
    try:
        report = desk.ingest(code=3, prepare=heed_permissions)
    finally:
        (desk.tree / "locked").chmod(0o700)
    assert report["documents"]["deleted"] == 0
    assert "none is deleted" in report["message"]
    assert desk.points() == before
    report = desk.ingest()
    assert report["documents"]["deleted"] == 1
    desk.assert_holds(files_of(desk.tree))


def test_a_file_that_was_unreadable_is_indexed_when_it_can_be_read(desk: Desk) -> None:
    (desk.tree / "second.py").chmod(0)
    report = desk.ingest(code=3, prepare=heed_permissions)
    assert [error["path"] for error in report["errors"]] == ["second.py"]
    (desk.tree / "second.py").chmod(0o600)
    report = desk.ingest(prepare=heed_permissions)
    assert (report["documents"]["new"], report["documents"]["indexed"]) == (1, 1)
    desk.assert_holds(files_of(desk.tree))


def test_a_named_file_that_the_policy_keeps_out_is_a_skip_and_no_failure(desk: Desk) -> None:
    (desk.tree / "tool.pyc").write_bytes(b"\0")
    report = desk.ingest(desk.tree / "tool.pyc")
    assert report["skipped"] == [{"reason": "binary", "count": 1}]
    assert report["documents"]["indexed"] == 0
