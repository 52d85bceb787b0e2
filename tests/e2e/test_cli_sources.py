"""Which source a path belongs to, what may be deleted there, and who sees it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.desk import Desk, files_of
from harness.trees import function


def paths(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["path"] for hit in hits]


def plant(desk: Desk, path: str, name: str) -> Path:
    file = desk.tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(function(f"{desk.project}_{name}"))
    return file


# --- one file, a part of a tree, the current directory


def test_a_file_inside_an_ingested_directory_updates_that_sources_document(desk: Desk) -> None:
    desk.ingest()
    before = desk.points()
    (desk.tree / "second.py").write_text(function(f"{desk.project}_rewritten"))
    report = desk.ingest(desk.tree / "second.py")
    assert report["source"] == str(desk.tree)
    assert (report["documents"]["seen"], report["documents"]["changed"]) == (1, 1)
    assert report["documents"]["deleted"] == 0
    texts = [hit["text"] for hit in desk.search("rewritten") if hit["path"] == "second.py"]
    assert (
        "".join(sorted(texts, key=(desk.tree / "second.py").read_text().index)) == (desk.tree / "second.py").read_text()
    )
    others = {point: payload for point, payload in before.items() if payload["path"] != "second.py"}
    assert others.items() <= desk.points().items()
    desk.assert_holds(files_of(desk.tree))


def test_a_file_that_is_taken_in_first_belongs_to_its_directory(desk: Desk) -> None:
    first = desk.ingest(desk.tree / "first.py")
    assert first["source"] == str(desk.tree)
    desk.assert_holds({"first.py": (desk.tree / "first.py").read_bytes()})
    report = desk.ingest()
    assert (report["documents"]["new"], report["documents"]["unchanged"]) == (2, 1)
    desk.assert_holds(files_of(desk.tree))


def test_a_subdirectory_updates_its_part_of_the_source_and_nothing_else(desk: Desk) -> None:
    inner = plant(desk, "sub/deep/inner.py", "inner")
    desk.ingest()
    (desk.tree / "second.py").unlink()
    inner.write_text(function(f"{desk.project}_inner_changed"))
    report = desk.ingest(desk.tree / "sub")
    assert report["source"] == str(desk.tree)
    assert (report["documents"]["seen"], report["documents"]["changed"]) == (1, 1)
    assert (report["documents"]["deleted"], report["message"]) == (0, "")
    assert "second.py" in desk.texts()
    assert desk.ingest()["documents"]["deleted"] == 1
    desk.assert_holds(files_of(desk.tree))


def test_what_a_subdirectory_lost_is_deleted_by_the_whole_source_only(desk: Desk) -> None:
    plant(desk, "sub/stays.py", "stays")
    plant(desk, "sub/goes.py", "goes")
    desk.ingest()
    (desk.tree / "sub/goes.py").unlink()
    report = desk.ingest(desk.tree / "sub", code=2)
    assert (report["state"], report["documents"]["deleted"]) == ("incomplete", 0)
    assert "ingest the whole source again" in report["message"]
    assert desk.ingest()["documents"]["deleted"] == 1


def test_the_current_directory_is_the_source_of_its_absolute_path(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(desk.tree)
    report = desk.ingest(".", cwd=tmp_path / "link")
    assert report["source"] == str(desk.tree)
    assert desk.ingest(tmp_path / "link")["documents"]["unchanged"] == 3
    assert desk.ingest("first.py", cwd=desk.tree)["documents"]["unchanged"] == 1
    shown = json.loads(desk.run("why", "first.py", "--json", cwd=desk.tree).stdout)
    assert [(where["path"], where["state"]) for where in shown] == [("first.py", "indexed")]


def test_two_directories_of_the_same_name_do_not_collide(desk: Desk, tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place / "src").mkdir(parents=True)
        (tmp_path / place / "src" / "same.py").write_text(function(f"{desk.project}_{place}"))
    first = desk.ingest(tmp_path / "one/src")
    second = desk.ingest(tmp_path / "two/src")
    assert first["source"] != second["source"]
    assert (second["documents"]["new"], second["documents"]["deleted"]) == (1, 0)
    assert {payload["path"] for payload in desk.points().values()} == {"same.py"}
    assert len(desk.points()) == first["points"]["written"] + second["points"]["written"]


def test_a_source_inside_another_is_pointed_out(desk: Desk) -> None:
    plant(desk, "sub/inner.py", "inner")
    desk.ingest(desk.tree / "sub")
    assert f"source {desk.tree}/sub lies inside it" in desk.run("ingest", desk.tree).stderr


def test_a_named_source_keeps_its_directory_when_a_file_from_elsewhere_is_given_to_it(
    desk: Desk, tmp_path: Path
) -> None:
    desk.ingest(desk.tree, "--source", "named")
    (tmp_path / "elsewhere.py").write_text("x = 1\n")
    refused = desk.refused("ingest", tmp_path / "elsewhere.py", "--source", "named")
    assert "name another source with --source" in refused
    assert desk.ingest(desk.tree / "first.py")["source"] == "named"
    desk.assert_holds(files_of(desk.tree), "named")


def test_a_named_source_survives_a_move_of_its_directory(desk: Desk, tmp_path: Path) -> None:
    desk.ingest(desk.tree, "--source", "named")
    desk.tree.rename(tmp_path / "moved")
    report = desk.ingest(tmp_path / "moved", "--source", "named")
    assert report["documents"]["unchanged"] == 3
    assert desk.ingest(tmp_path / "moved/first.py")["source"] == "named"


# --- deletion


def test_files_are_deleted_under_their_own_source_only(desk: Desk) -> None:
    desk.ingest(desk.tree, "--source", "one")
    desk.ingest(desk.tree, "--source", "two")
    (desk.tree / "second.py").unlink()
    report = desk.ingest(desk.tree, "--source", "one")
    assert report["documents"]["deleted"] == 1
    assert desk.texts("one").keys() == {"first.py", "README.md"}
    assert desk.texts("two").keys() == {"first.py", "README.md", "second.py"}
    assert {payload["path"] for payload in desk.points().values()} == {"first.py", "README.md", "second.py"}


def test_an_empty_directory_where_there_was_a_full_one_asks_first(desk: Desk) -> None:
    desk.ingest()
    before = desk.points()
    for path in desk.tree.iterdir():
        path.unlink()
    report = desk.ingest(code=2)
    assert report["state"] == "incomplete"
    assert "--allow-delete" in report["message"]
    assert desk.points() == before
    report = desk.ingest(desk.tree, "--allow-delete")
    assert (report["state"], report["documents"]["deleted"]) == ("succeeded", 3)
    assert report["points"]["deleted"] == len(before)
    assert desk.points() == {}


def test_a_file_that_is_ignored_from_now_on_goes(desk: Desk) -> None:
    desk.ingest()
    (desk.tree / ".gitignore").write_text("second.py\n")
    report = desk.ingest()
    assert (report["documents"]["deleted"], report["skipped"]) == (1, [{"reason": "gitignored", "count": 1}])
    assert "second.py" not in desk.texts()


# --- who sees it


def test_projects_and_tenants_see_their_own_documents_only(desk: Desk, tmp_path: Path) -> None:
    other = replace(desk, project=f"{desk.project}_other", tree=tmp_path / "other")
    other.tree.mkdir()
    (other.tree / "other.py").write_text(function(f"{desk.project}_first_other"))
    desk.ingest()
    other.ingest()
    assert set(paths(other.search("step of first"))) == {"other.py"}

    foreign = ("--tenant", f"{desk.project}_tenant")
    assert "there is no project" in desk.refused("search", "step", *foreign)
    report = desk.ingest(other.tree, *foreign)
    assert set(paths(desk.search("step of first"))) == set(files_of(desk.tree))
    assert set(paths(desk.search("step of first", *foreign))) == {"other.py"}
    assert "there is no run" in desk.refused("runs", report["run_id"])
    assert "is no document of project" in desk.refused("why", "other.py")


def test_an_unknown_project_is_refused_with_the_way_out(desk: Desk) -> None:
    refused = desk.refused("search", "anything", "--project", "no such project")
    assert "there is no project 'no such project'" in refused
    assert "mobius ingest PATH" in refused
    assert "there is no project" in desk.refused("why", "first.py", "--project", "no such project")


# --- files that do not hold still


@contextmanager
def meanwhile(action: Callable[[], None]) -> Iterator[None]:
    """Repeat an action as fast as possible in a thread until the block ends."""
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            action()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_file_that_changes_while_it_is_read_is_named_and_taken_in_when_it_is_quiet(desk: Desk) -> None:
    path = desk.tree / "restless.py"
    path.write_text(f"# {desk.project}\n" + "restless = 'a'\n" * 20_000)

    def rewrite() -> None:
        with path.open("rb+", buffering=0) as file:
            for letter in b"ab":
                file.seek(len(desk.project) + 15)
                file.write(bytes((letter,)) * 9)

    with meanwhile(rewrite):
        done = desk.run("ingest", desk.tree, "--json", code=None)
    report = json.loads(done.stdout)
    # Where the machine keeps the writer waiting for long enough, the file is quiet for once, and read.
    assert done.returncode == (3 if report["errors"] else 0)
    for error in report["errors"]:
        assert (error["path"], error["error"]) == ("restless.py", "Unreadable")
        assert "run the ingestion again when it is quiet" in error["message"]
    assert desk.texts().keys() >= {"first.py", "second.py", "README.md"}
    desk.ingest()
    desk.assert_holds(files_of(desk.tree))


def test_files_that_come_and_go_during_the_walk_do_no_harm(desk: Desk) -> None:
    def come_and_go() -> None:
        for number in range(50):
            (desk.tree / f"passing_{number}.py").write_text("passing = 1\n")
        for number in range(50):
            (desk.tree / f"passing_{number}.py").unlink()

    with meanwhile(come_and_go):
        done = desk.run("ingest", desk.tree, "--json", code=None)
    errors = json.loads(done.stdout)["errors"]
    assert done.returncode == (3 if errors else 0)
    assert all(
        error["path"].startswith("passing_") and "again when it is quiet" in error["message"] for error in errors
    )
    assert desk.texts().keys() >= {"first.py", "second.py", "README.md"}
    desk.ingest(desk.tree, "--allow-delete")
    desk.assert_holds(files_of(desk.tree))


def test_a_directory_that_vanishes_between_two_runs_is_named_and_nothing_is_deleted(desk: Desk, tmp_path: Path) -> None:
    desk.ingest()
    before = desk.points()
    desk.tree.rename(tmp_path / "away")
    assert "it does not exist" in desk.refused("ingest", desk.tree)
    assert desk.points() == before
