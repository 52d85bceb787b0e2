"""What keeps a run from going on is told once; what only an operator can mend ends the waiting."""

from __future__ import annotations

import importlib
import pkgutil
from uuid import UUID

import pytest

import tasks
from pipeline.errors import MisconfiguredError, ServiceUnavailable
from pipeline.policy import Skip, SkipReason
from pipeline.report import RunProgress
from pipeline.states import RunState
from worker import adapters
from worker.cli import watching
from worker.cli.display import in_stages
from worker.cli.watching import LONGEST_POLL, MISCONFIGURATIONS, POLL, PlanNotes, rest_after, watch_run

RUN = UUID(int=3)


def progress(error: str = "", message: str = "m.", state: RunState = RunState.RUNNING) -> RunProgress:
    return RunProgress(state, 1, 0, {"parse": 0, "embed": 1}, error, message if error else "")


class Answers:
    """Stands where `Views` stands: gives one prepared answer after the other."""

    def __init__(self, *answers: RunProgress | ServiceUnavailable) -> None:
        self._answers = list(answers)

    def progress(self, run_id: UUID) -> RunProgress:
        """Return the next one."""
        answer = self._answers.pop(0)
        if isinstance(answer, ServiceUnavailable):
            raise answer
        return answer


ENDED = progress(state=RunState.SUCCEEDED)


def subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind} | {below for child in kind.__subclasses__() for below in subclasses(child)}


def test_every_misconfiguration_that_a_stage_or_an_adapter_may_raise_is_known_by_name() -> None:
    for package in (adapters, tasks):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    raisers = ("worker.adapters", "tasks.")
    raised = {kind.__name__ for kind in subclasses(MisconfiguredError) if kind.__module__.startswith(raisers)}
    # The probe is asked by the command itself, never by a worker.
    assert raised - {"WrongAddress"} <= MISCONFIGURATIONS
    assert {"BadCredentials", "DimensionMismatch", "MisconfiguredError"} <= MISCONFIGURATIONS
    assert "RateLimited" not in MISCONFIGURATIONS


def test_a_misconfiguration_ends_the_waiting_with_its_message() -> None:
    answers = Answers(progress(), progress("RequestRefused", "Do this."))
    with pytest.raises(MisconfiguredError, match=rf"^Do this\.\nNothing is lost: run {RUN} goes on"):
        watch_run(answers, RUN, quiet=True)  # all that it asks of Views


def test_a_patient_watcher_tells_it_once_and_waits(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = progress("BadCredentials", "Set the key.")
    watch_run(Answers(trouble, trouble, ENDED), RUN, quiet=True, patient=True)
    assert capsys.readouterr().err == "  BadCredentials: Set the key. It is tried again.\n"


def test_a_trouble_that_comes_back_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    trouble = progress("RateLimited", "Wait.")
    watch_run(Answers(trouble, progress(), trouble, ENDED), RUN, quiet=True)
    assert capsys.readouterr().err.count("RateLimited") == 2


def test_a_database_that_restarts_is_waited_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "PAUSE", 0.0)
    gone = ServiceUnavailable("Postgres")
    watch_run(Answers(progress(), gone, gone, ENDED), RUN, quiet=True)
    assert capsys.readouterr().err.count("Postgres does not answer") == 1


def test_a_standstill_is_told_where_to_look(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STANDSTILL", 0.0)
    watch_run(Answers(progress(), progress(), progress(), ENDED), RUN, quiet=True)
    assert capsys.readouterr().err.count("`mobius doctor` says whether dispatcher and workers run") == 1


def test_stages_without_documents_are_left_out() -> None:
    assert in_stages(progress()) == "embed 1"


def test_a_plan_names_what_may_be_missed_and_ends_a_long_list(capsys: pytest.CaptureFixture[str]) -> None:
    notes = PlanNotes(quiet=False)
    for number in range(30):
        notes.skipped(Skip(f"secret\n{number}.pem", SkipReason.SECRET))
        notes.skipped(Skip("picture.png", SkipReason.BINARY))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  skipped secret\\n0.pem: secret"
    assert lines[20:] == ["  skipped more like these; the report counts them"]


def test_a_quiet_plan_still_says_why_it_waits(capsys: pytest.CaptureFixture[str]) -> None:
    notes = PlanNotes(quiet=True)
    notes.opened(RUN)
    notes.skipped(Skip("secret.pem", SkipReason.SECRET))
    notes.waiting()
    assert capsys.readouterr().err == "another ingestion is reading this source; waiting for it\n"


def test_watching_takes_a_small_share_of_the_database_and_of_the_time() -> None:
    assert rest_after(look=0.0005, watched=0.2) == POLL
    assert rest_after(look=0.05, watched=0.2) == 20 * 0.05
    assert rest_after(look=0.0005, watched=30.0) == pytest.approx(0.9)
    assert rest_after(look=30.0, watched=3_600.0) == LONGEST_POLL


def test_a_paused_run_is_told_once_with_what_lets_it_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    paused = progress(state=RunState.PAUSED)
    watch_run(Answers(paused, paused, progress(), ENDED), RUN, quiet=True)
    assert capsys.readouterr().err.splitlines() == [
        f"  paused; `mobius runs resume {RUN}`, or `mobius resume` for the fleet, lets it go on"
    ]


def test_a_paused_run_with_a_misconfiguration_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    watch_run(Answers(progress("BadCredentials", "Do this.", RunState.PAUSED), ENDED), RUN, quiet=True)
    assert "Do this." not in capsys.readouterr().err


def test_a_cancelled_run_has_ended() -> None:
    watch_run(Answers(progress(state=RunState.CANCELLED)), RUN, quiet=True)
