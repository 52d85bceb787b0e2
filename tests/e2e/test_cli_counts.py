"""Every count that `mobius ingest --json` reports is the one that the files, both stores and the provider show."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from harness.desk import Desk, files_of
from harness.trees import function

KEYS = {
    "documents": [
        "seen",
        "new",
        "changed",
        "unchanged",
        "skipped",
        "deleted",
        "superseded",
        "indexed",
        "failed",
        "cancelled",
    ],
    "chunks": ["total", "embedded", "reused"],
    "points": ["written", "updated", "deleted"],
    "embedding": ["model", "calls", "inputs", "tokens"],
}


def documents(report: dict[str, Any], **expected: int) -> None:
    """Check the counts of documents; those not named are zero."""
    assert report["documents"] == dict.fromkeys(KEYS["documents"], 0) | expected


def counts(report: dict[str, Any]) -> dict[str, int]:
    """Return what a run wrote and bought, by short names."""
    return {
        "chunks": report["chunks"]["total"],
        "embedded": report["chunks"]["embedded"],
        "reused": report["chunks"]["reused"],
        **report["points"],
        "inputs": report["embedding"]["inputs"],
    }


def nothing_written(report: dict[str, Any]) -> None:
    assert set(counts(report).values()) == {0}
    assert report["embedding"]["calls"] == report["embedding"]["tokens"] == 0


def test_the_first_report_agrees_with_the_files_both_stores_and_the_provider(desk: Desk) -> None:
    calls = len(desk.provider.calls)
    report = desk.ingest()
    files = files_of(desk.tree)
    assert list(report) == [
        *("run_id", "project", "source", "state", "documents", "chunks", "points", "embedding"),
        *("seconds", "errors", "skipped", "message"),
    ]
    assert {name: list(report[name]) for name in KEYS} == KEYS
    assert (report["project"], report["source"]) == (desk.project, str(desk.tree))
    assert report["state"] == "succeeded"
    documents(report, seen=len(files), new=len(files), indexed=len(files))
    desk.assert_holds(files)
    stored = len(desk.chunks())
    bought = desk.bought(calls)
    assert counts(report) == {
        **dict.fromkeys(("chunks", "embedded", "inputs", "written"), stored),
        **dict.fromkeys(("reused", "updated", "deleted"), 0),
    }
    assert len(bought) == len(set(bought)) == stored
    assert report["embedding"]["calls"] == len(desk.provider.calls) - calls
    assert report["embedding"]["tokens"] == sum(len(text.split()) for text in bought)
    assert (report["errors"], report["skipped"], report["message"]) == ([], [], "")
    assert report["seconds"] > 0
    assert json.loads(desk.run("runs", report["run_id"], "--json").stdout) == report


def test_a_second_run_of_the_same_tree_embeds_nothing_and_writes_nothing(desk: Desk) -> None:
    desk.ingest()
    before = desk.state()
    report = desk.ingest()
    documents(report, seen=3, unchanged=3)
    nothing_written(report)
    assert desk.state() == before


def test_files_that_were_only_touched_are_unchanged(desk: Desk) -> None:
    desk.ingest()
    before = desk.state()
    for path in desk.tree.iterdir():
        os.utime(path)
    report = desk.ingest()
    documents(report, seen=3, unchanged=3)
    nothing_written(report)
    assert desk.state() == before


def test_an_edit_in_one_function_pays_for_the_changed_chunks_only(desk: Desk) -> None:
    desk.ingest()
    before, calls = desk.chunks(), len(desk.provider.calls)
    path = desk.tree / "first.py"
    path.write_text(path.read_text().replace("step 3 of", "stride 3 of", 1))
    report = desk.ingest()
    after = desk.chunks()
    changed = [text for chunk, text in after.items() if chunk not in before]
    assert 1 <= len(changed) < len([text for text in after.values() if "first" in text])
    documents(report, seen=3, changed=1, unchanged=2, indexed=1)
    bought = desk.bought(calls)
    assert len(bought) == report["embedding"]["inputs"] == report["chunks"]["embedded"] == len(changed)
    assert all(any(sent.endswith(text) for sent in bought) for text in changed)
    assert report["points"]["written"] == len(changed)
    assert report["points"]["deleted"] == len(before.keys() - after.keys())
    desk.assert_holds(files_of(desk.tree))


def test_lines_above_move_the_points_below_without_buying_them_again(desk: Desk) -> None:
    desk.ingest()
    calls = len(desk.provider.calls)
    path = desk.tree / "first.py"
    before = desk.chunks()
    path.write_text("# a line above\n" + path.read_text())
    report = desk.ingest()
    new = desk.chunks().keys() - before.keys()
    assert len(desk.bought(calls)) == report["points"]["written"] == len(new)
    moved = [payload for point, payload in desk.points().items() if point not in new and payload["path"] == "first.py"]
    assert report["points"]["updated"] == len(moved) > 0
    assert all(payload["generation"] == 2 for payload in moved)
    desk.assert_holds(files_of(desk.tree))


def test_a_deleted_files_points_go_and_the_others_stay(desk: Desk) -> None:
    desk.ingest()
    before = desk.points()
    gone = {point for point, payload in before.items() if payload["path"] == "second.py"}
    (desk.tree / "second.py").unlink()
    report = desk.ingest()
    documents(report, seen=2, unchanged=2, deleted=1)
    assert report["points"] == {"written": 0, "updated": 0, "deleted": len(gone)}
    assert desk.points() == {point: payload for point, payload in before.items() if point not in gone}
    assert not any(hit["path"] == "second.py" for hit in desk.search("step of second"))
    desk.assert_holds(files_of(desk.tree))


def test_back_to_an_earlier_content_is_a_change_that_costs_nothing(desk: Desk) -> None:
    path = desk.tree / "second.py"
    first = path.read_text()
    desk.ingest()
    points = desk.points()
    path.write_text(function("quite_another_one", 30))
    desk.ingest()
    calls = len(desk.provider.calls)
    path.write_text(first)
    report = desk.ingest()
    documents(report, seen=3, changed=1, unchanged=2, indexed=1)
    assert report["embedding"]["inputs"] == 0
    assert desk.bought(calls) == []
    assert report["chunks"]["reused"] == report["chunks"]["total"] == report["points"]["written"] > 0
    assert desk.points().keys() == points.keys()
    desk.assert_holds(files_of(desk.tree))


def test_a_renamed_file_is_a_new_document_and_the_old_one_goes(desk: Desk) -> None:
    desk.ingest()
    calls = len(desk.provider.calls)
    (desk.tree / "second.py").rename(desk.tree / "renamed.py")
    report = desk.ingest()
    documents(report, seen=3, new=1, unchanged=2, deleted=1, indexed=1)
    in_renamed = [payload for payload in desk.points().values() if payload["path"] == "renamed.py"]
    # The path is part of what is embedded, so the move is paid for.
    assert len(desk.bought(calls)) == report["points"]["written"] == len(in_renamed) > 0
    assert report["points"]["deleted"] == len(in_renamed)
    desk.assert_holds(files_of(desk.tree))


def test_equal_texts_are_bought_once_and_stand_at_both_places(desk: Desk, tmp_path: Path) -> None:
    desk.ingest()
    calls = len(desk.provider.calls)
    copy = tmp_path / "copy"
    desk.tree.rename(copy)
    report = desk.ingest(copy)
    documents(report, seen=3, new=3, indexed=3)
    assert desk.bought(calls) == []
    assert report["chunks"] == {
        "total": report["points"]["written"],
        "embedded": 0,
        "reused": report["chunks"]["total"],
    }
    assert len(desk.points()) == 2 * report["points"]["written"]


def test_a_run_that_nobody_waits_for_ends_by_itself(desk: Desk) -> None:
    accepted = desk.ingest(desk.tree, "--no-wait", "--priority", "high")
    assert accepted["state"] in {"running", "succeeded"}
    watched = json.loads(desk.run("runs", accepted["run_id"], "--watch", "--json").stdout)
    assert watched["state"] == "succeeded"
    documents(watched, seen=3, new=3, indexed=3)
    desk.assert_holds(files_of(desk.tree))
