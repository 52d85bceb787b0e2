"""The stack under fire has two of everything that may be there twice, and the second workers' clocks are wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chaos.crew import crew
from harness.members import ROOT
from harness.tuning import CLOCK

from worker.local.state import Home

_SAID = (
    "import sys, time, datetime as true; right, began = time.time(), true.datetime.now()\n"
    "from harness.wrong_clock import set_wrong; set_wrong(float(sys.argv[1]))\n"
    "from datetime import UTC, date, datetime\n"
    "assert isinstance(began, datetime) and isinstance(began, date) and not isinstance(7, datetime)\n"
    "ways = [time.time(), time.time_ns() / 1e9, datetime.now(UTC).timestamp(), datetime.now().timestamp(),\n"
    "        datetime.utcnow().replace(tzinfo=UTC).timestamp(), datetime.today().timestamp()]\n"
    "print(*(round((way - right) / 60) for way in ways))"
)


def test_of_the_second_workers_one_has_a_clock_that_is_ahead_and_one_that_is_behind(tmp_path: Path) -> None:
    specs = {spec.name: spec for spec in crew(Home(tmp_path), 1, 2, "http://wire")}
    assert {name: spec.env[CLOCK] for name, spec in specs.items() if CLOCK in spec.env} == {
        "worker-cpu-2": "-600",
        "worker-io-2": "+600",
    }
    assert all(("harness.tuned" in spec.argv) is (CLOCK in spec.env) for spec in specs.values())
    assert specs["worker-cpu"].argv[-2:] == specs["worker-cpu-2"].argv[-2:]


def test_a_wrong_clock_is_wrong_wherever_a_library_reads_it() -> None:
    argv = [sys.executable, "-W", "ignore", "-c", _SAID, "-600"]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-10"] * 6
