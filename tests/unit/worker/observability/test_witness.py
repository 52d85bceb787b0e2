"""A process that crashed or hung has said where it was; a limit of memory is an error inside the process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness.members import ROOT

from worker.observability.memory import out_of_memory_kills
from worker.observability.witness import FaultWitness


def run(code: str) -> tuple[int, str]:
    """Run a child of a witness, and return its status and what it left."""
    witness = FaultWitness()
    witness.open()
    try:
        child = subprocess.Popen([sys.executable, "-c", f"{PREPARE.format(place=witness._directory)}{code}"], cwd=ROOT)
        status = child.wait(60)
        trace = witness.trace_of(child.pid)
        assert witness.trace_of(child.pid) == "", "it is forgotten"
        return status, trace
    finally:
        witness.close()


PREPARE = """
import ctypes, os, signal, time
from pathlib import Path
from worker.observability.memory import limit_memory
from worker.observability.witness import FaultWitness
witness = FaultWitness()
witness._directory = Path('{place}')
witness.begin_process()
def the_culprit(): ctypes.string_at(0)
def sleeper(): time.sleep(1.5)
"""


def test_a_crash_in_c_leaves_where_it_was() -> None:
    status, trace = run("the_culprit()")
    assert status == -signal.SIGSEGV
    assert "in the_culprit" in trace


def test_a_hang_leaves_where_it_was_even_if_c_code_lets_nobody_else_run() -> None:
    holds_the_interpreter = "ctypes.PyDLL(None).usleep(1_000_000)"
    status, trace = run(f"witness.begin_stage(0.3)\ndef the_culprit(): {holds_the_interpreter}\nthe_culprit()")
    assert status == 0
    assert "in the_culprit" in trace


def test_a_stage_that_ended_in_time_leaves_nothing_and_forgets_a_slow_one() -> None:
    slow = "witness.begin_stage(0.1)\nsleeper()\nwitness.end_stage()\n"
    assert run(slow)[1] != ""
    assert run(f"{slow}witness.begin_stage(0.5)\nwitness.end_stage()\ntime.sleep(0.8)")[1] == ""


def test_a_process_that_was_killed_left_nothing() -> None:
    assert run("os.kill(os.getpid(), signal.SIGKILL)") == (-signal.SIGKILL, "")


def test_memory_beyond_the_limit_is_an_error_of_the_process() -> None:
    code = "limit_memory(300 << 20)\ntry: bytearray(600 << 20)\nexcept MemoryError: os._exit(7)"
    assert run(code)[0] == 7
    assert run("limit_memory(0)\nbytearray(600 << 20)")[0] == 0


def test_without_a_place_for_traces_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    witness = FaultWitness()
    witness.open()
    witness.begin_process()
    witness.begin_stage(10.0)
    witness.end_stage()
    assert witness.trace_of(1) == ""
    witness.close()


def test_a_place_for_traces_is_gone_after_the_worker() -> None:
    witness = FaultWitness()
    witness.open()
    place = witness._directory
    assert place is not None
    assert place.is_dir()
    assert place.stat().st_mode & 0o077 == 0, "nobody else reads what ours were at"
    witness.close()
    witness.close()
    assert not place.exists()


def test_what_a_killed_worker_left_is_removed_by_the_next_one_and_what_lives_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    abandoned, living, other = (
        tmp_path / name for name in (f"mobius-traces-{gone.pid}-x", "mobius-traces-1-x", "another-1-x")
    )
    for directory in (abandoned, living, other):
        directory.mkdir()
    witness = FaultWitness()
    witness.open()
    assert not abandoned.exists()
    assert living.exists()
    assert other.exists()
    witness.close()


@pytest.mark.parametrize(
    ("ours", "events", "kills"),
    [
        ("0::/pod/worker\n", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\n", 2),
        ("1:cpu:/\n0::/pod/worker\n", "oom_kill 5\n", 5),
        ("0::/pod/worker\n", None, 0),
        ("1:memory:/old\n", "oom_kill 5\n", 0),
        (None, "oom_kill 5\n", 0),
    ],
)
def test_the_kernels_count_is_that_of_our_own_cgroup(
    tmp_path: Path, ours: str | None, events: str | None, kills: int
) -> None:
    group = tmp_path / "cgroup" / "pod" / "worker"
    group.mkdir(parents=True)
    if events is not None:
        (group / "memory.events").write_text(events)
    if ours is not None:
        (tmp_path / "self").write_text(ours)
    assert out_of_memory_kills(tmp_path / "cgroup", tmp_path / "self") == kills
