"""What counts against a call, what its halves inherit, and what is forgotten."""

from __future__ import annotations

import pytest

from pipeline.embed import halve
from pipeline.types import EmbeddingCall
from tasks import suspects as remembered
from tasks.suspects import REFUSE_AFTER, SPLIT_AFTER, Suspects


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(text.encode() for text in texts), texts)


def verdicts(suspects: Suspects, failing: EmbeddingCall, times: int) -> list[bool]:
    """Let a call fail so often, with a purchase between every two failures."""
    found = []
    for _ in range(times):
        found.append(suspects.note_failure(failing))
        suspects.note_purchase()
    return found


@pytest.mark.parametrize(("texts", "enough"), [("ab", SPLIT_AFTER), ("a", REFUSE_AFTER)])
def test_failures_with_purchases_between_them_are_enough_in_the_end(texts: str, enough: int) -> None:
    assert verdicts(Suspects(), call(*texts), enough) == [False] * (enough - 1) + [True]


def test_failures_without_a_purchase_between_them_are_one() -> None:
    suspects = Suspects()
    assert not any(suspects.note_failure(call("a")) for _ in range(100))
    assert verdicts(suspects, call("a"), REFUSE_AFTER) == [False] * (REFUSE_AFTER - 1) + [True]


def test_a_purchase_of_the_call_itself_begins_anew() -> None:
    suspects = Suspects()
    verdicts(suspects, call("a"), REFUSE_AFTER - 1)
    suspects.note_purchase(call("a"))
    assert call("a") not in suspects
    assert not suspects.note_failure(call("a"))


def test_a_guilty_call_is_split_without_being_sent_again_and_its_halves_are_found_guilty_sooner() -> None:
    suspects = Suspects()
    whole = call(*"abcdefgh")
    verdicts(suspects, whole, SPLIT_AFTER)
    halves = suspects.arranged([whole, call("x")])
    assert halves == [call("x"), *halve(whole)], "what is not under suspicion goes first"
    assert suspects.note_failure(halves[1])
    quarter, _ = suspects.halve(halves[1])
    assert not suspects.note_failure(quarter), "nothing was bought since"
    suspects.note_purchase()
    assert suspects.note_failure(quarter)


def test_a_text_that_was_split_off_begins_anew_and_stays_alone() -> None:
    suspects = Suspects()
    verdicts(suspects, call("a", "b"), SPLIT_AFTER)
    suspects.halve(call("a", "b"))
    assert suspects.was_alone(b"a")
    assert verdicts(suspects, call("a"), REFUSE_AFTER) == [False] * (REFUSE_AFTER - 1) + [True]


def test_evidence_for_a_refusal_is_a_purchase_since_the_whole_call_was_first_refused() -> None:
    suspects = Suspects()
    suspects.note_refusal(call("a", "b"))
    suspects.note_refusal(call("lonely"))
    assert suspects.lacks_evidence(call("lonely"))
    assert not suspects.lacks_evidence(call("a", "b")), "it is split at once"
    first, second = suspects.halve(call("a", "b"))
    suspects.note_purchase(second)
    suspects.note_refusal(first)
    assert not suspects.lacks_evidence(first)


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "_REMEMBERED", 2)
    suspects = Suspects()
    for text in "abac":
        suspects.note_refusal(call(text))
    assert [call(text) in suspects for text in "abc"] == [True, False, True]
