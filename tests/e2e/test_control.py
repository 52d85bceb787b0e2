"""Operators pause, resume and cancel from the command line, beside workers at work and with all of them down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from harness.fleet import Fleet, wait_until
from harness.inspection import Inspection
from harness.trees import function

from pipeline.testing.openai_stub import OpenAIStub


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files of which each travels alone."""
    root = tmp_path / "tree"
    root.mkdir()
    for number in range(24):
        (root / f"bulk_{number:02}.py").write_text(function(f"bulk_{number}"))
    return root


def said(fleet: Fleet, *args: str) -> Any:
    return json.loads(fleet.mobius(*args, "--json").stdout)


def accept(fleet: Fleet, path: Path, *options: str) -> str:
    found: str = said(fleet, "ingest", str(path), "--no-wait", *options)["run_id"]
    return found


def counts(inspection: Inspection, run: str) -> dict[str, int]:
    rows = inspection.rows("SELECT outcome, count(*) AS n FROM run_documents WHERE run_id = %s GROUP BY 1", run)
    return {row["outcome"]: row["n"] for row in rows}


def is_idle(inspection: Inspection) -> bool:
    return not inspection.rows("SELECT 1 FROM slices WHERE state IN ('dispatched', 'running')")


def test_runs_are_paused_overtaken_resumed_and_cancelled(
    provider: OpenAIStub, fleet: Fleet, environment: dict[str, str], inspection: Inspection, tree: Path, tmp_path: Path
) -> None:
    environment |= {"MOBIUS_SLICE_DOCUMENTS": "1", "MOBIUS_DISPATCH_WINDOW": "2"}
    provider.latency = 1.0
    # All workers are down when the fleet is paused.
    fleet.mobius("pause")
    bulk = accept(fleet, tree, "--priority", "low")
    fleet.dispatcher()
    fleet.worker("worker")
    assert said(fleet, "runs", bulk)["state"] == "paused"
    assert counts(inspection, bulk) == {"pending": 24}
    assert provider.calls == []
    why = fleet.mobius("why", str(tree / "bulk_00.py")).stdout
    assert f"mobius runs resume {bulk}" in why
    fleet.mobius("resume")
    wait_until(lambda: counts(inspection, bulk).get("indexed", 0) >= 2, "the bulk is under way")

    # An urgent file comes; it is done long before the bulk is.
    urgent = tmp_path / "urgent.py"
    urgent.write_text(function("urgent"))
    report = said(fleet, "ingest", str(urgent), "--priority", "high")
    assert report["documents"]["indexed"] == 1
    assert counts(inspection, bulk)["pending"] > 4

    fleet.mobius("runs", "pause", bulk)
    wait_until(lambda: is_idle(inspection), "the workers stop")
    held, calls = counts(inspection, bulk), len(provider.calls)
    assert held["pending"] > 0
    assert said(fleet, "runs", bulk)["state"] == "paused"
    assert (counts(inspection, bulk), len(provider.calls)) == (held, calls), "nothing happens meanwhile"
    fleet.mobius("runs", "resume", bulk)
    wait_until(lambda: counts(inspection, bulk)["indexed"] > held["indexed"], "the bulk goes on")

    fleet.mobius("runs", "cancel", bulk)
    wait_until(lambda: "pending" not in counts(inspection, bulk), "the run ends")
    report = said(fleet, "runs", bulk)
    assert report["state"] == "cancelled"
    assert report["documents"]["cancelled"] > 0
    assert report["documents"]["indexed"] + report["documents"]["cancelled"] == 24
    wait_until(lambda: is_idle(inspection), "the workers stop")
    indexed = {row["path"] for row in inspection.rows("SELECT path FROM documents WHERE state = 'indexed'")}
    assert inspection.texts().keys() >= indexed
    assert {payload["path"] for payload in inspection.points().values()} == indexed
    assert "its run was cancelled" in fleet.mobius("why", str(tree / "bulk_23.py")).stdout

    fleet.mobius("runs", "cancel", bulk)
    assert_refused(fleet, "pause", bulk, "has ended already")
    assert_refused(fleet, "cancel", run_of(fleet, urgent), "has ended already")
    assert_refused(fleet, "cancel", str(uuid4()), "there is no run")

    # What was cancelled is taken up by the next ingestion, and nothing is paid for twice.
    environment["MOBIUS_SLICE_DOCUMENTS"] = "64"
    said(fleet, "ingest", str(tree))
    assert {row["state"] for row in inspection.rows("SELECT DISTINCT state FROM documents")} == {"indexed"}
    assert len(inspection.points()) == 25
    assert len(provider.inputs()) == len(set(provider.inputs()))


def assert_refused(fleet: Fleet, what: str, run: str, words: str) -> None:
    """Check that something cannot be done to a run, and that the message says why."""
    refused = fleet.mobius("runs", what, run, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert words in refused.stderr


def run_of(fleet: Fleet, path: Path) -> str:
    """Return the run that a file's document was brought in by."""
    found: str = said(fleet, "why", str(path))[0]["run_id"]
    return found
