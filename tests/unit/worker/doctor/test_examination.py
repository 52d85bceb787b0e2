"""A diagnosis is always made: whatever hangs, fails or is not set becomes a finding, and no secret stands in any."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.errors import ServiceUnavailable
from worker.doctor.examination import examine
from worker.doctor.findings import Finding, Silence, Status, is_well, one_line, parts_of, problem, skipped
from worker.doctor.questions import Question
from worker.doctor.secrecy import secrets_of, secrets_within, without_secrets
from worker.local import StackError
from worker.settings import load_settings

# --- questions


def soon() -> float:
    return time.monotonic() + 30


def answer_of(probe: object) -> object:
    return Question("it", probe).answer(soon())


@pytest.mark.parametrize("value", [3, None, Silence("quiet", "wait")])
def test_an_answer_arrives_as_it_is(value: object) -> None:
    assert answer_of(lambda: value) == value


def test_what_a_probe_did_not_foresee_is_a_finding_that_names_it() -> None:
    def fail() -> int:
        raise KeyError("surprise")

    found = answer_of(fail)
    assert isinstance(found, Silence)
    assert "KeyError" in found.found
    assert "surprise" in found.found
    assert found.advice


@pytest.fixture
def hanging() -> Iterator[Question[int]]:
    release = threading.Event()
    yield Question("the service", lambda: int(release.wait(60)))
    release.set()


def test_one_that_hangs_is_left_behind(hanging: Question[int]) -> None:
    found = hanging.answer(time.monotonic() + 0.01)
    assert isinstance(found, Silence)
    assert "the service gave no answer in time" in found.found


# --- settings that are not usable


def test_every_bad_setting_is_a_problem_of_its_own_and_nothing_else_is_looked_at() -> None:
    findings = examine(lambda: {"MOBIUS_SLICE_BYTES": "none", "MOBIUS_FOO": "1", "DATABASE_URL": "postgresql://h"})
    assert [(f.name, f.status) for f in findings] == [
        ("settings", Status.PROBLEM),
        ("settings", Status.PROBLEM),
        ("services", Status.SKIPPED),
    ]
    assert "MOBIUS_FOO" in findings[0].found
    assert "MOBIUS_SLICE_BYTES" in findings[1].found
    assert all(finding.advice for finding in findings[:2])


def test_an_environment_that_cannot_be_read_is_a_problem() -> None:
    def refuse() -> dict[str, str]:
        raise StackError("it belongs to somebody else: run this as that user.")

    finding = examine(refuse)[0]
    assert (finding.name, finding.status, finding.advice) == ("settings", Status.PROBLEM, "run this as that user.")


# --- secrets

ENVIRON = {
    "DATABASE_URL": "postgresql://user:s3cr%40t-one@h/db?sslpassword=s3cret-two",
    "REDIS_URL": "redis://:s3cret-three@h",
    "QDRANT_API_KEY": "s3cret-four",
    "OPENAI_API_KEY": "x",
    "MOBIUS_FLOWER_URL": "http://me:s3cret-five@h",
}
HIDDEN = ("s3cr%40t-one", "s3cr@t-one", "sslpassword=s3cret-two", "s3cret-three", "s3cret-four", "s3cret-five")


@pytest.mark.parametrize("usable", [True, False])
def test_every_secret_is_known_whether_the_settings_are_usable_or_not(usable: bool) -> None:
    found = secrets_of(load_settings(ENVIRON)) if usable else secrets_within(ENVIRON)
    assert found == set(HIDDEN)


def test_no_secret_is_repeated_after_a_server_that_did() -> None:
    findings = [problem("name", f"it says: {' and '.join(HIDDEN)}", "do that")]
    (finding,) = without_secrets(findings, secrets_of(load_settings(ENVIRON)))
    assert finding.found == "it says: " + " and ".join(["***"] * len(HIDDEN))
    assert finding.advice == "do that"


def test_a_secret_within_another_one_does_not_show_the_rest_of_it() -> None:
    (finding,) = without_secrets([problem("n", "word-longer", "")], ["word", "word-longer"])
    assert finding.found == "***"


# --- findings


def test_warnings_and_skipped_checks_leave_it_well() -> None:
    fine = [Finding("a", Status.OK, ""), Finding("b", Status.WARNING, "", "x"), skipped("c", "why")]
    assert is_well(fine)
    assert not is_well([*fine, problem("d", "", "")])


def test_an_error_of_ours_is_parted_into_what_is_wrong_and_what_to_do() -> None:
    assert parts_of(ServiceUnavailable("Qdrant", "Qdrant is not at http://h; check that")) == (
        "Qdrant is not at http://h",
        "check that",
    )
    assert parts_of(StackError("Nothing to part")) == ("Nothing to part", "")


def test_a_text_of_others_is_bounded_and_on_one_line() -> None:
    assert one_line("a\n\t b  c") == "a b c"
    assert len(one_line("x" * 10_000)) < 400
