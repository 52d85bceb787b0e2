"""A batch waits for its turns so long at most, asks nobody in vain, and never sends what was paused meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from pipeline.errors import IngestError, RateLimited, ServiceUnavailable
from worker.adapters.permits import Permits


class Script:
    """A limiter that answers what it is told, once each; an error is raised."""

    def __init__(self, *answers: float | IngestError, paused: float = 0.0) -> None:
        self.answers = deque(answers)
        self.asked: list[tuple[int, float]] = []
        self._paused = paused

    def acquire(self, tokens: int, patience: float) -> float:
        self.asked.append((tokens, patience))
        answer = self.answers.popleft()
        if isinstance(answer, IngestError):
            raise answer
        return answer

    def paused(self) -> float:
        return self._paused


def take(permits: Permits, *tokens: int) -> list[RateLimited | None]:
    """Take permits one after the other; return the denials."""

    async def all_of_them() -> list[RateLimited | None]:
        return [await one(each) for each in tokens]

    async def one(each: int) -> RateLimited | None:
        try:
            await permits.take(each)
        except RateLimited as exc:
            return exc
        return None

    return asyncio.run(all_of_them())


def test_a_turn_that_has_come_is_taken_at_once() -> None:
    limiter = Script(0.0, 0.0)
    assert take(Permits(limiter, 2.0), 7, 8) == [None, None]
    assert [tokens for tokens, _ in limiter.asked] == [7, 8]


def test_what_was_waited_for_one_call_is_gone_for_the_next() -> None:
    limiter = Script(0.1, 0.0)
    take(Permits(limiter, 2.0), 1, 1)
    first, second = (patience for _, patience in limiter.asked)
    assert 1.5 < first <= 2.0
    assert 0.0 <= second <= 1.9


def test_a_batch_whose_patience_is_over_still_takes_what_is_free() -> None:
    limiter = Script(0.0)
    assert take(Permits(limiter, 0.0), 1) == [None]
    assert limiter.asked == [(1, 0.0)]


def test_those_behind_a_denied_call_are_denied_without_asking() -> None:
    limiter = Script(RateLimited(30.0, "spent"))
    first, second = take(Permits(limiter, 2.0), 1, 1)
    assert first is not None
    assert second is not None
    assert len(limiter.asked) == 1
    assert first.retry_after == second.retry_after
    assert str(second) == "spent"


def test_those_who_are_denied_alike_come_back_apart_and_early_enough_to_wait_out_the_rest() -> None:
    again = [take(Permits(Script(RateLimited(30.0)), 2.0), 1)[0].retry_after for _ in range(50)]
    assert all(28.0 <= seconds <= 30.0 for seconds in again)
    assert len(set(again)) > 40


def test_a_pause_that_began_while_a_call_waited_stops_it() -> None:
    (denial,) = take(Permits(Script(0.01, paused=60.0), 2.0), 1)
    assert denial is not None
    assert denial.retry_after >= 58.0


def test_a_budget_that_cannot_be_asked_permits_nothing() -> None:
    permits = Permits(Script(ServiceUnavailable("Redis")), 2.0)
    with pytest.raises(ServiceUnavailable):
        take(permits, 1)
