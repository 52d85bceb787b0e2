"""The benchmark runs to its end on a small tree, and its figures agree with each other and with the tree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness.fleet import ROOT, wait_until
from harness.members import without_coverage
from harness.trees import write_tree

#: What `write_tree` writes besides the modules.
_OTHER_FILES = 4

# Half a minute on a quiet machine with two cores; the time is not what is tested.
pytestmark = pytest.mark.timeout(600)

Finished = tuple[dict[str, Any], str, Path]


@contextmanager
def running(tree: Path, output: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start the benchmark over a tree, with ``output`` as its directory for everything; it ends with the block."""
    kept = {
        name: value
        for name, value in without_coverage(os.environ).items()
        if not name.startswith(("MOBIUS_", "OPENAI_"))
    }
    argv = [sys.executable, "-m", "benchmarks.run", "--dir", str(tree), "--json", str(output / "results.json"), *more]
    environment = {**kept, "TMPDIR": str(output)}
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            # It cleans up behind itself on this signal; after its end it does nothing.
            process.terminate()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The JSON, the tables and the directory of one finished benchmark."""
    place = tmp_path_factory.mktemp("bench")
    write_tree(place / "tree", files=2)
    output = place / "output"
    output.mkdir()
    with running(place / "tree", output, "--latency-ms", "5", "--profile") as process:
        said, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    return json.loads((output / "results.json").read_text()), said, output


def cases(finished: Finished) -> dict[tuple[str, str], dict[str, Any]]:
    return {(case["side"], case["case"]): case for case in finished[0]["cases"]}


def test_every_side_runs_every_case(finished: Finished) -> None:
    sides = ("one process per pool", "defaults")
    pipeline = {(side, case) for side in sides for case in ("cold", "unchanged", "1 % edited")}
    assert set(cases(finished)) == pipeline | {("limit", "cold")}


def test_both_sides_leave_the_same_behind(finished: Finished) -> None:
    found = cases(finished)
    expected = found["limit", "cold"]["outcome"]
    assert expected["documents"] == finished[0]["files"] == 2 + _OTHER_FILES
    assert expected["chunks"] == expected["points"] == expected["embeddings"] > expected["documents"]
    for (_, case), result in found.items():
        if case != "1 % edited":
            assert result["outcome"] == expected


def test_a_case_counts_what_it_had_to_do(finished: Finished) -> None:
    for (side, case), result in cases(finished).items():
        documents = {"cold": 2 + _OTHER_FILES, "unchanged": 0, "1 % edited": 1}[case]
        assert result["documents"] == documents
        assert (result["calls"] > 0) == (documents > 0)
        assert (result["messages"] > 0) == (documents > 0 and side != "limit")
        if side != "limit":
            assert (sum(result["stages"].values()) > 0) == (documents > 0)


def test_every_figure_was_measured(finished: Finished) -> None:
    for (side, case), result in cases(finished).items():
        assert result["seconds"] > 0
        assert result["statements"] > 0
        assert sum(result["kinds"].values()) == result["statements"]
        assert result["transaction_statements"] > 0
        ours = "limit" if side == "limit" else "worker-io"
        assert result["peak_mb"][ours] > 10
        assert (result["ratio"] is not None) == (case == "cold")
    assert cases(finished)["limit", "cold"]["ratio"] == 1


def test_the_profile_names_functions_of_every_stage(finished: Finished) -> None:
    profile = finished[0]["profile"]
    stages = {side: {stage["stage"]: stage for stage in found} for side, found in profile.items()}
    assert {"read", "parse", "chunk", "copy", "upsert"} <= set(stages["limit"])
    assert {"plan", "parse", "chunk", "embed", "upsert"} <= set(stages["pipeline"])
    for stage in ("parse", "chunk", "embed", "upsert"):
        ours = {spot["name"] for spot in stages["pipeline"][stage]["cumulative"]}
        assert any(name.endswith(f" {stage}") and name.startswith("tasks/ingest.py") for name in ours)


def test_the_tables_show_every_case(finished: Finished) -> None:
    _, said, _ = finished
    assert said.count("| one process per pool |") == said.count("| defaults ") == 2 * 3
    assert "Profile of pipeline" in said


def test_nothing_is_left_on_disk_but_the_results(finished: Finished) -> None:
    assert [path.name for path in finished[2].iterdir()] == ["results.json"]


def test_an_interrupted_benchmark_leaves_nothing_behind(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", files=1)
    output = tmp_path / "output"
    output.mkdir()
    with running(tmp_path / "tree", output) as process:
        wait_until(lambda: bool(list(output.glob("mobius-bench-*/home/stack.json"))), "its services are starting", 120)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "benchmarks: interrupted; everything that was started is ended."
    assert list(output.iterdir()) == []


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with running(tmp_path / "nothing", tmp_path) as process:
        _, errors = process.communicate(timeout=200)
    assert process.returncode == 1
    assert errors.startswith("benchmarks: ")
    assert "nothing" in errors
    assert "Traceback" not in errors
