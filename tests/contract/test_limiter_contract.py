"""Every limiter keeps the promises of ``pipeline.ports.Limiter``: the one in memory and the one in Redis.

Budgets are so small that a turn is a minute or so away; the moments that pass during a test are measured and allowed
for, never asserted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from harness.servers import RedisServer

from pipeline.budget import SPREAD_SECONDS, STAGE_PATIENCE, NoLimit, ProviderBudget
from pipeline.errors import RateLimited
from pipeline.ports import Limiter
from pipeline.testing import MemoryLimiter
from worker.adapters.limiter import RedisLimiter

LONG = 100_000.0
PER_MINUTE = ProviderBudget(1, 0)
TOKENS = ProviderBudget(0, 1_000)
#: Seconds per token of that budget: a fiftieth is left out of the spreading.
TOKEN = SPREAD_SECONDS / 951


@dataclass
class Office:
    """Opens limiters of one model that share their budget, and loses what they know."""

    open: Callable[[ProviderBudget], Limiter]
    forget: Callable[[], object]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the module's own."""
    made = RedisServer(tmp_path_factory.mktemp("limiter") / "redis")
    made.start()
    yield made
    made.kill()


@pytest.fixture(params=["memory", "redis"])
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    if request.param == "memory":
        made: dict[ProviderBudget, MemoryLimiter] = {}
        yield Office(
            lambda budget: made.setdefault(budget, MemoryLimiter(budget)),
            lambda: [limiter.forget() for limiter in made.values()],
        )
        return
    server: RedisServer = request.getfixturevalue("server")
    opened: list[RedisLimiter] = []
    model = f"test/{uuid4()}/8"

    def opening(budget: ProviderBudget) -> RedisLimiter:
        opened.append(RedisLimiter(budget, server.url, model))
        return opened[-1]

    with server.client as client:
        yield Office(opening, client.flushall)
    for limiter in opened:
        limiter.close()


class Elapsed:
    """Allows for the time that passes between two looks at a clock."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def about(self, seconds: float) -> object:
        """Compare equal to ``seconds`` less the time that has passed, or anything between."""
        passed = time.monotonic() - self._start
        return pytest.approx(seconds - passed / 2, abs=passed / 2 + 0.001)


def denied(limiter: Limiter, tokens: int = 1, patience: float = 0.0) -> float:
    with pytest.raises(RateLimited) as caught:
        limiter.acquire(tokens, patience)
    return caught.value.retry_after


def test_an_unknown_past_has_just_used_everything(office: Office) -> None:
    limiter = office.open(PER_MINUTE)
    elapsed = Elapsed()
    assert denied(limiter) == elapsed.about(SPREAD_SECONDS + STAGE_PATIENCE)
    assert limiter.acquire(1, LONG) == elapsed.about(SPREAD_SECONDS + STAGE_PATIENCE)


def test_losing_what_is_known_grants_nothing(office: Office) -> None:
    limiter = office.open(PER_MINUTE)
    limiter.acquire(1, LONG)
    office.forget()
    elapsed = Elapsed()
    assert denied(limiter) == elapsed.about(SPREAD_SECONDS + STAGE_PATIENCE)


def test_all_who_share_a_budget_get_turns_one_after_the_other(office: Office) -> None:
    one, other = office.open(PER_MINUTE), office.open(PER_MINUTE)
    elapsed = Elapsed()
    waits = [one.acquire(1, LONG), other.acquire(1, LONG), one.acquire(1, LONG)]
    first = SPREAD_SECONDS + STAGE_PATIENCE
    assert waits == [elapsed.about(first + n * SPREAD_SECONDS) for n in range(3)]


def test_tokens_are_what_moves_the_next_turn(office: Office) -> None:
    limiter = office.open(TOKENS)
    elapsed = Elapsed()
    waits = [limiter.acquire(tokens, LONG) for tokens in (40, 7, 900, 1)]
    first = 50 * TOKEN + STAGE_PATIENCE
    assert waits == [elapsed.about(first + tokens * TOKEN) for tokens in (0, 40, 47, 947)]


def test_both_limits_hold(office: Office) -> None:
    limiter = office.open(ProviderBudget(60, 1_000))
    elapsed = Elapsed()
    waits = [limiter.acquire(tokens, LONG) for tokens in (50, 1, 1)]
    first = 50 * TOKEN + STAGE_PATIENCE
    assert waits == [elapsed.about(seconds) for seconds in (first, first + 50 * TOKEN, first + 50 * TOKEN + 61 / 60)]


def test_a_denied_call_takes_nothing_and_the_denied_come_back_one_by_one(office: Office) -> None:
    limiter = office.open(PER_MINUTE)
    elapsed = Elapsed()
    first = SPREAD_SECONDS + STAGE_PATIENCE
    assert [denied(limiter, patience=5.0) for _ in range(3)] == [
        elapsed.about(first + n * SPREAD_SECONDS) for n in range(3)
    ]
    assert limiter.acquire(1, LONG) == elapsed.about(first)


def test_what_a_call_did_not_need_is_given_back(office: Office) -> None:
    limiter = office.open(TOKENS)
    elapsed = Elapsed()
    limiter.acquire(400, LONG)
    limiter.settle(400, 100)
    assert limiter.acquire(1, LONG) == elapsed.about(50 * TOKEN + STAGE_PATIENCE + 100 * TOKEN)


def test_what_a_call_needed_more_is_paid_off(office: Office) -> None:
    limiter = office.open(TOKENS)
    elapsed = Elapsed()
    limiter.acquire(100, LONG)
    limiter.settle(100, 400)
    assert limiter.acquire(1, LONG) == elapsed.about(50 * TOKEN + STAGE_PATIENCE + 400 * TOKEN)


def test_settling_what_nobody_knows_grants_nothing(office: Office) -> None:
    limiter = office.open(TOKENS)
    limiter.settle(10**6, 1)
    elapsed = Elapsed()
    assert denied(limiter) == elapsed.about(50 * TOKEN + STAGE_PATIENCE)


def test_giving_back_too_much_saves_nothing_up(office: Office) -> None:
    limiter = office.open(TOKENS)
    elapsed = Elapsed()
    limiter.acquire(10, LONG)
    limiter.settle(10**6, 1)
    waits = [limiter.acquire(500, LONG), limiter.acquire(1, LONG)]
    first = 50 * TOKEN + STAGE_PATIENCE
    assert waits == [elapsed.about(first), elapsed.about(first + 500 * TOKEN)], "not before the turn given last"


def test_a_pause_holds_everybody_who_shares_the_budget(office: Office) -> None:
    one, other = office.open(TOKENS), office.open(TOKENS)
    assert one.paused() == 0.0
    elapsed = Elapsed()
    one.pause(300.0)
    other.pause(50.0)
    assert other.paused() == elapsed.about(300.0)
    assert denied(other) == elapsed.about(300.0)
    assert other.acquire(10, LONG) == elapsed.about(300.0)
    assert one.acquire(10, LONG) == elapsed.about(300.0 + 10 * TOKEN), "spaced again afterwards"


def test_a_pause_ends(office: Office) -> None:
    limiter = office.open(TOKENS)
    limiter.pause(0.01)
    time.sleep(0.02)
    assert limiter.paused() == 0.0


def test_closing_twice_is_fine(office: Office) -> None:
    limiter = office.open(TOKENS)
    limiter.paused()
    limiter.close()
    limiter.close()


def test_no_budget_is_a_limiter_too() -> None:
    limiter: Limiter = NoLimit()
    assert limiter.acquire(10**9, 0.0) == 0.0
