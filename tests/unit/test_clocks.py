"""No process's clock decides about work: Postgres' ``now()`` does, for leases, delays, retries and time-outs of all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: What reads the time of day of the machine it runs on.
CLOCKS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
#: Where that is right: the age of files on this machine, a provider's date, and the check that clocks agree.
ALLOWED = {
    "models/diagnosis.py",
    "worker/doctor/probes/redis.py",
    "worker/sources/reading.py",
    "worker/sources/upload.py",
    "worker/adapters/openai_errors.py",
    "pipeline/testing/openai_stub.py",
}


def readings(source: str) -> list[str]:
    """Return where a module reads a clock of the day."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"line {call.lineno}: {name}" for call in calls if (name := ast.unparse(call.func)) in CLOCKS]


@pytest.mark.parametrize("package", ["pipeline", "models", "tasks", "worker"])
def test_only_what_is_about_this_machine_reads_its_clock(package: str) -> None:
    found = {str(path.relative_to(ROOT)) for path in (ROOT / package).rglob("*.py") if readings(path.read_text())}
    assert found <= ALLOWED


def test_a_reading_is_found() -> None:
    assert readings("import time\nlease = time.time() + 20") == ["line 2: time.time"]
