"""What a document does to its worker process is found out and isolated; what is done to the process never counts."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from harness.fleet import Fleet, wait_until
from harness.inspection import Inspection
from harness.members import ROOT, Member
from harness.servers import RedisClient

#: Each word and the class that its dead letter must have.
POISONS = {
    "SEGFAULT": "ProcessCrashed",
    "ABORT": "ProcessCrashed",
    "EXIT": "ProcessExited",
    "HANG": "TimeLimitExceeded",
    "MEMORY": "OutOfMemory",
    "RAISE": "ZeroDivisionError",
}


@pytest.fixture
def time_limit() -> str:
    """Seconds after which a parse stage hangs."""
    return "8"


@pytest.fixture
def quick(environment: dict[str, str], time_limit: str) -> dict[str, str]:
    """Two attempts, close together; leases so long that none of them ends by itself."""
    environment |= {
        "MOBIUS_MAX_ATTEMPTS": "2",
        "MOBIUS_RETRY_SECONDS": "0.1",
        "MOBIUS_CPU_TIME_LIMIT": time_limit,
        "MOBIUS_LEASE_SECONDS": "60",
        "MOBIUS_PROCESS_MEMORY_BYTES": str(2 * 1024**3),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
    }
    return environment


@pytest.fixture
def harmful(fleet: Fleet, quick: dict[str, str]) -> Member:
    """A dispatcher, and a worker whose parser does harm, with four processes."""
    assert quick
    fleet.dispatcher()
    return fleet.worker("harmful", processes=4, app="harness.harmful")


def said(fleet: Fleet, *args: str, code: int = 0) -> Any:
    done = fleet.mobius(*args, "--json", check=False)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_every_poison_becomes_a_dead_letter_and_its_neighbours_are_indexed(
    fleet: Fleet, harmful: Member, redis_server: RedisClient, inspection: Inspection, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    good = {f"good_{number}.txt": f"good text number {number}\n" for number in range(3)}
    poison = {f"{word.lower()}.txt": f"{word} is what this asks for\n" for word in POISONS}
    for name, text in (good | poison).items():
        (tree / name).write_text(text)
    report = said(fleet, "ingest", str(tree), code=3)
    assert {error["path"]: error["error"] for error in report["errors"]} == {
        f"{word.lower()}.txt": error for word, error in POISONS.items()
    }
    assert report["documents"]["indexed"] == len(good)
    assert inspection.texts().keys() >= good.keys()

    letters = {line["path"]: line for line in said(fleet, "dead-letters", "list")}
    assert {path: line["error"] for path, line in letters.items()} == {
        error["path"]: error["error"] for error in report["errors"]
    }
    for path in ("segfault.txt", "abort.txt", "hang.txt", "raise.txt", "memory.txt"):
        assert "harmful.py" in letters[path]["trace"], f"{path}: where it was is known"
    for line in letters.values():
        assert (line["attempts"], line["stage"], line["status"]) == (2, "parse", "open")
        assert ":" in line["worker"]
        assert line["accepted_at"] < line["given_up_at"]
    shown = fleet.mobius("dead-letters", "show", letters["segfault.txt"]["dead_letter_id"]).stdout
    assert "SIGSEGV" in shown
    assert "harmful.py" in shown
    why = fleet.mobius("why", str(tree / "hang.txt")).stdout
    assert f"mobius dead-letters show {letters['hang.txt']['dead_letter_id']}" in why

    assert redis_server.client.hlen("unacked") == 0, "also what failed for memory was acknowledged, so no slot is lost"
    harmful.kill("SIGTERM")
    wait_until(lambda: not harmful.is_alive, "the worker drains and ends")
    fleet.worker("mended")
    (retried,) = said(fleet, "dead-letters", "retry", "--all")
    assert retried["documents"] == len(POISONS)
    assert said(fleet, "runs", retried["run_id"], "--watch")["documents"]["indexed"] == len(POISONS)
    assert said(fleet, "dead-letters", "list") == []
    assert inspection.texts() == {path: text.encode() for path, text in (good | poison).items()}
    assert len(inspection.points()) == len(good | poison)


@pytest.mark.parametrize("time_limit", ["300"])
def test_an_innocent_whose_process_is_killed_more_often_than_a_poison_may_crash_is_indexed(
    harmful: Member, fleet: Fleet, inspection: Inspection, tmp_path: Path
) -> None:
    tree, go = tmp_path / "tree", tmp_path / "go"
    tree.mkdir()
    (tree / "innocent.txt").write_text(f"WAIT {go} and then be indexed\n")
    (tree / "neighbour.txt").write_text("a good text\n")
    fleet.mobius("ingest", str(tree), "--no-wait")
    killed: list[int] = []
    for _ in range(4):
        killed.append(next_at_work(inspection, killed))
        os.kill(killed[-1], signal.SIGKILL)
    go.touch()
    wait_until(lambda: not inspection.rows("SELECT 1 FROM run_documents WHERE outcome = 'pending'"), "the run ends")
    inspection.assert_true_to(tree)
    assert inspection.rows("SELECT 1 FROM dead_letters") == []
    ends = harmful.records("worker_process_ended")
    assert [(end["error"], end["evidence"]) for end in ends] == [("ProcessKilled", False)] * 4


def next_at_work(inspection: Inspection, killed: list[int]) -> int:
    """Wait for another process to be at the innocent, and return it."""

    def at_work() -> list[int]:
        rows = inspection.rows(
            "SELECT s.worker FROM slices s JOIN run_documents rd ON rd.slice_id = s.id"
            " JOIN documents d ON d.id = rd.document_id WHERE d.path = 'innocent.txt' AND s.state = 'running'"
        )
        found = [int(row["worker"].rpartition(":")[2]) for row in rows]
        return [pid for pid in found if pid not in killed]

    wait_until(lambda: bool(at_work()), "a process is at the innocent")
    return at_work()[0]
