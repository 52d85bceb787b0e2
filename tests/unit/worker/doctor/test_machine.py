"""The machine's own share: clocks, disks, installed versions, and settings that fit together."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from worker.doctor import installation
from worker.doctor.clock import Skew, judge_clock
from worker.doctor.disk import GIB, MIB, DiskSpace, judge_disk, judge_home
from worker.doctor.findings import Silence, Status
from worker.doctor.installation import Installed, judge_settings, judge_versions, pins_of
from worker.doctor.probes import disk
from worker.doctor.probes.installation import look as look_at_installation
from worker.settings import Settings

ROOMY = DiskSpace("/d", 100 * GIB, 200 * GIB, 10**6, 10**7, is_writable=True)

# --- clocks


@pytest.mark.parametrize(
    ("seconds", "uncertainty", "status"),
    [
        (0.0, 0.0, Status.OK),
        (1.99, 0.0, Status.OK),
        (2.0, 0.0, Status.WARNING),
        (-2.0, 0.0, Status.WARNING),
        (9.99, 0.0, Status.WARNING),
        (10.0, 0.0, Status.PROBLEM),
        (-3600.0, 0.0, Status.PROBLEM),
        (2.5, 1.0, Status.OK),
        (10.5, 1.0, Status.WARNING),
    ],
)
def test_a_clock_is_judged_by_the_lease_and_by_what_is_certain(
    seconds: float, uncertainty: float, status: Status
) -> None:
    finding = judge_clock("clock", Skew(seconds, uncertainty), lease_seconds=20)
    assert finding.status is status
    assert ("time service" in finding.advice) == (status is not Status.OK)


@pytest.mark.parametrize(("seconds", "side"), [(30.0, "ahead of"), (-30.0, "behind")])
def test_the_side_is_named(seconds: float, side: str) -> None:
    assert f"30.0 s {side}" in judge_clock("clock", Skew(seconds, 0), 20).found


# --- disks


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (ROOMY, Status.OK, "100.0 GiB free (50%)"),
        (replace(ROOMY, free=GIB), Status.WARNING, "make room"),
        (replace(ROOMY, free=GIB - 1), Status.PROBLEM, "make room"),
        (replace(ROOMY, free=9 * GIB), Status.WARNING, "make room"),
        (replace(ROOMY, free=60 * GIB, total=5000 * GIB), Status.OK, "(1%)"),
        (replace(ROOMY, free_files=10), Status.PROBLEM, "10 more files"),
        (replace(ROOMY, free_files=0, files=0), Status.OK, "free"),
        (replace(ROOMY, is_writable=False), Status.PROBLEM, "permissions"),
        (DiskSpace("/d", 0, 0, 0, 0, is_writable=True), Status.PROBLEM, "0 MiB free"),
        (Silence("it cannot be looked at", "mount it"), Status.PROBLEM, "mount it"),
    ],
)
def test_room(seen: DiskSpace | Silence, status: Status, words: str) -> None:
    finding = judge_disk("disk", seen, least=GIB)
    assert finding.status is status
    assert words in f"{finding.found} {finding.advice}"


def test_a_small_directory_for_temporary_files_will_do() -> None:
    assert judge_disk("disk", replace(ROOMY, free=700 * MIB, total=GIB), least=128 * MIB).status is Status.OK


def test_where_no_local_stack_is_needed_its_directory_may_be_small() -> None:
    small = replace(ROOMY, free=64 * MIB, total=64 * MIB)
    assert judge_home(small, GIB, is_used=False).status is Status.SKIPPED
    assert judge_home(small, GIB, is_used=True).status is Status.PROBLEM


def test_a_directory_that_is_not_made_yet_has_the_room_of_its_parent(tmp_path: Path) -> None:
    seen = disk.look(tmp_path / "not" / "yet")
    assert isinstance(seen, DiskSpace)
    assert (seen.path, seen.is_writable) == (str(tmp_path), True)
    assert 0 < seen.free <= seen.total


# --- versions


def test_only_exact_pins_that_are_no_option_count() -> None:
    found = pins_of(
        ["celery[redis]==5.6.3", "kombu==5.7.0", "redis<9,>=6.4", 'pytest==9; extra == "dev"', "tree-sitter==0.26.1"]
    )
    assert found == {"celery": "5.6.3", "kombu": "5.7.0", "tree-sitter": "0.26.1"}


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [
        (Installed({"celery": "5.6.3"}, {"celery": "5.6.3"}), Status.OK, "all 1"),
        (Installed({"celery": "5.6.3"}, {"celery": "5.7.0"}), Status.PROBLEM, "celery is 5.7.0 instead of 5.6.3"),
        (Installed({"celery": "5.6.3"}, {}), Status.PROBLEM, "celery is missing"),
        (Installed(None, {}), Status.SKIPPED, "not installed"),
    ],
)
def test_what_is_pinned_is_installed(seen: Installed, status: Status, words: str) -> None:
    finding = judge_versions(seen)
    assert finding.status is status
    assert words in finding.found


def test_an_old_python_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "PYTHON", (sys.version_info[0], sys.version_info[1] + 1))
    assert judge_versions(Installed({}, {})).status is Status.PROBLEM


def test_celery_is_among_the_pins_of_this_installation() -> None:
    seen = look_at_installation()
    assert seen.pins is not None
    assert {"celery", "kombu"} <= seen.pins.keys()
    assert judge_versions(seen).status is Status.OK


# --- settings


def test_settings_by_default_fit_together() -> None:
    assert judge_settings(Settings(cpu_concurrency=4)).status is Status.OK


def test_a_window_below_the_number_of_processes_is_worth_a_look() -> None:
    finding = judge_settings(Settings(cpu_concurrency=8, io_concurrency=4, dispatch_window=11))
    assert finding.status is Status.WARNING
    assert "MOBIUS_DISPATCH_WINDOW to twice the number of processes, 24" in finding.advice
