from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.clock import Clock
from benchmarks.measure import cpu_seconds, difference, peak_megabytes, reset_peaks

#: Burns 0.3 s of CPU time in a child that ends, then tells and waits.
_PARENT_OF_ONE_THAT_ENDED = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.3: pass"], check=True)
print("ended", flush=True)
sys.stdin.read()
"""


def test_children_that_ended_count_for_their_tree() -> None:
    argv = [sys.executable, "-c", _PARENT_OF_ONE_THAT_ENDED]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert cpu_seconds({"tree": process.pid})["tree"] >= 0.3


def test_live_children_count_for_their_tree() -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        peaks = peak_megabytes({"child": process.pid, "we": os.getpid()})
        assert peaks["we"] >= peaks["child"] > 1


def test_a_process_that_is_gone_used_nothing() -> None:
    assert cpu_seconds({"gone": 2**30}) == {"gone": 0}
    assert peak_megabytes({"gone": 2**30}) == {"gone": 0}


def test_peaks_start_anew() -> None:
    us = {"we": os.getpid()}
    block = bytearray(b"x" * 150_000_000)
    high = peak_megabytes(us)["we"]
    del block
    reset_peaks(us)
    assert peak_megabytes(us)["we"] < high - 100


def test_a_difference_counts_what_is_new_from_zero() -> None:
    assert difference({"a": 3.0, "b": 1.0}, {"a": 2.5}) == {"a": 0.5, "b": 1.0}


def test_a_clock_counts_work_and_not_waiting() -> None:
    clock = Clock()
    with clock("waiting"):
        time.sleep(0.1)
    for _ in range(2):
        with clock("work"):
            until = time.thread_time() + 0.05
            while time.thread_time() < until:
                pass
    assert clock.seconds["work"] >= 0.1
    assert clock.seconds["waiting"] < 0.1
