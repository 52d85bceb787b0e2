"""Every error says whether it is worth trying again, what to do, and its name."""

from __future__ import annotations

import inspect
from types import ModuleType

import pytest

from pipeline import errors, plan, upsert
from pipeline.errors import (
    ClaimLost,
    IngestError,
    MisconfiguredError,
    PermanentError,
    RateLimited,
    ServiceUnavailable,
    TransientError,
)

ANSWERS = (TransientError, PermanentError, MisconfiguredError)


def classes(module: ModuleType) -> list[type[IngestError]]:
    found = (each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__)
    return [each for each in found if issubclass(each, IngestError)]


ALL = [each for module in (errors, plan, upsert) for each in classes(module)]


@pytest.mark.parametrize("error", [each for each in ALL if each is not IngestError])
def test_an_error_gives_exactly_one_answer_to_whether_to_try_again(error: type[IngestError]) -> None:
    assert sum(issubclass(error, answer) for answer in ANSWERS) == 1


@pytest.mark.parametrize("error", ALL)
def test_the_message_of_an_error_is_its_docstring_unless_there_is_a_better_one(error: type[IngestError]) -> None:
    if error in {RateLimited, ServiceUnavailable}:
        return
    made = error()
    assert str(made) == (error.__doc__ or "").strip() != ""
    assert str(error("better")) == "better"
    assert made.code == error.__name__


def test_a_rate_limit_says_when_to_come_back() -> None:
    assert RateLimited(2.5).retry_after == 2.5
    assert "fewer requests" in str(RateLimited(2.5))
    assert str(RateLimited(2.5, "wait")) == "wait"


def test_a_service_that_does_not_answer_is_named() -> None:
    assert str(ServiceUnavailable("Redis")).startswith("Redis does not answer; check")
    assert ServiceUnavailable("Redis", "gone").service == "Redis"


@pytest.mark.parametrize("signal", [ClaimLost])
def test_being_overtaken_is_no_error(signal: type[Exception]) -> None:
    assert not issubclass(signal, IngestError)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    missing = [each.__name__ for each in (*classes(errors), ClaimLost) if each.__name__ not in drawn]
    assert missing == []
