"""A process that fails leaves evidence against its document; one that is killed leaves none."""

from __future__ import annotations

from signal import Signals

import pytest

from pipeline.crashes import exited_with, killed_by, ran_out_of_time


@pytest.mark.parametrize("number", [Signals.SIGSEGV, Signals.SIGBUS, Signals.SIGILL, Signals.SIGFPE, Signals.SIGABRT])
def test_a_fault_signal_is_evidence(number: Signals) -> None:
    crash = killed_by(number, "where it was")
    assert (crash.error, crash.is_evidence, crash.trace) == ("ProcessCrashed", True, "where it was")
    assert number.name in crash.message


@pytest.mark.parametrize("number", [Signals.SIGKILL, Signals.SIGTERM, Signals.SIGINT, Signals.SIGHUP, Signals.SIGQUIT])
def test_a_kill_is_no_evidence_whoever_sent_it(number: Signals) -> None:
    crash = killed_by(number)
    assert (crash.error, crash.is_evidence) == ("ProcessKilled", False)
    assert number.name in crash.message


def test_a_kill_for_memory_of_its_own_cgroup_is_evidence() -> None:
    crash = killed_by(Signals.SIGKILL, out_of_memory=True)
    assert (crash.error, crash.is_evidence) == ("OutOfMemory", True)


def test_memory_of_the_cgroup_says_nothing_about_another_signal() -> None:
    assert not killed_by(Signals.SIGTERM, out_of_memory=True).is_evidence


def test_a_signal_without_a_name_is_named_by_its_number() -> None:
    assert "signal 127" in killed_by(127).message


@pytest.mark.parametrize(("code", "is_evidence"), [(1, True), (3, True), (255, True), (0, False), (15, False)])
def test_an_exit_of_its_own_is_evidence_and_an_orderly_one_is_not(code: int, is_evidence: bool) -> None:
    crash = exited_with(code)
    assert crash.is_evidence is is_evidence
    assert str(code) in crash.message


def test_a_hang_is_evidence() -> None:
    crash = ran_out_of_time(300.0, "where it hung")
    assert (crash.error, crash.is_evidence, crash.trace) == ("TimeLimitExceeded", True, "where it hung")
    assert "300 s" in crash.message
