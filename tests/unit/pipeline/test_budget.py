"""No 60 seconds hold more than the budget, nothing is granted by forgetting, and nobody waits for ever."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.budget import (
    HORIZON,
    LONGEST_LINE,
    MICROSECONDS,
    QUERY_PATIENCE,
    SPREAD_SECONDS,
    STAGE_PATIENCE,
    Cost,
    NoLimit,
    ProviderBudget,
    Turns,
    correct,
    denied,
    keep_quiet,
    known,
    reserve,
    return_after,
    whole,
)
from pipeline.errors import RateLimited
from pipeline.testing import MemoryLimiter

MINUTE = 60 * MICROSECONDS
NOW = 1_763_000_000 * MICROSECONDS
budgets = st.builds(
    ProviderBudget,
    st.one_of(st.integers(0, 20), st.integers(0, 5_000)),
    st.one_of(st.integers(0, 2_000), st.integers(0, 2_000_000)),
).filter(lambda budget: budget.is_limited)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def ask(limiter: MemoryLimiter, tokens: int, patience: float = STAGE_PATIENCE) -> float | None:
    """Return the wait, None if denied."""
    try:
        return limiter.acquire(tokens, patience)
    except RateLimited:
        return None


def assert_within(budget: ProviderBudget, granted: list[tuple[int, int]]) -> None:
    turns, tokens = zip(*sorted(granted), strict=True) if granted else ((), ())
    sums = [0, *accumulate(tokens)]
    for start in turns:
        first, end = bisect_left(turns, start), bisect_left(turns, start + MINUTE)
        assert not budget.requests_per_minute or end - first <= budget.requests_per_minute
        assert not budget.tokens_per_minute or sums[end] - sums[first] <= budget.tokens_per_minute


# --- the promise


steps = st.lists(
    st.tuples(
        st.one_of(st.just(0), st.integers(0, 50_000), st.integers(0, 40 * MICROSECONDS)),
        st.floats(0.0, 1.0),
        st.sampled_from([0.0, 0.5, STAGE_PATIENCE]),
        st.booleans(),
    ),
    max_size=120,
)


@given(budgets, steps)
def test_no_sixty_seconds_hold_more_than_the_budget_even_if_the_state_is_lost(budget, steps) -> None:
    clock = Clock()
    limiter = MemoryLimiter(budget, clock)
    for pause, share, patience, lost in steps:
        clock.now += pause
        if lost:
            limiter.forget()
        ask(limiter, int(share * (budget.largest_call or 10_000)), patience)
    assert_within(budget, limiter.granted)


@given(budgets, steps)
def test_without_a_loss_the_promise_holds_however_far_ahead_turns_are_reserved(budget, steps) -> None:
    clock = Clock()
    limiter = MemoryLimiter(budget, clock)
    for pause, share, patience, far in steps:
        clock.now += pause
        ask(limiter, int(share * (budget.largest_call or 10_000)), 100.0 if far else patience)
    assert_within(budget, limiter.granted)


@given(budgets, st.integers(1, 2_000))
def test_losing_the_state_again_and_again_grants_nothing(budget, every) -> None:
    clock = Clock()
    limiter = MemoryLimiter(budget, clock)
    for _ in range(100):
        clock.now += every * 1_000
        limiter.forget()
        ask(limiter, budget.largest_call or 1, patience=0.0)
    assert limiter.granted == []


@given(
    budgets, st.lists(st.tuples(st.integers(0, MICROSECONDS), st.floats(0.0, 1.0), st.floats(0.0, 1.0)), max_size=80)
)
def test_giving_back_moves_no_more_than_was_taken_too_much(budget, steps) -> None:
    """The tokens that calls really had are within the budget and what earlier calls gave back late."""
    clock = Clock()
    limiter = MemoryLimiter(budget, clock)
    real: list[tuple[int, int]] = []
    given_back = 0
    for pause, share, real_share in steps:
        clock.now += pause
        estimate = int(share * (budget.largest_call or 10_000))
        wait = ask(limiter, estimate)
        if wait is not None:
            real.append((limiter.granted[-1][0], int(estimate * real_share)))
            limiter.settle(estimate, real[-1][1])
            given_back += estimate - real[-1][1]
    if budget.tokens_per_minute:
        ordered = sorted(real)
        for start, _ in ordered:
            window = sum(tokens for turn, tokens in ordered if start <= turn < start + MINUTE)
            assert window <= budget.tokens_per_minute + given_back


def test_what_was_reserved_ahead_of_a_loss_is_waited_out() -> None:
    clock = Clock()
    limiter = MemoryLimiter(ProviderBudget(600), clock)
    limiter.acquire(1, 60.0)
    clock.now += MINUTE
    while ask(limiter, 1) is not None:
        pass
    limiter.forget()
    last = limiter.granted[-1][0]
    limiter.acquire(1, 60.0)
    assert limiter.granted[-1][0] - last >= ProviderBudget(600).cost(1).requests


@pytest.mark.parametrize(
    "budget", [ProviderBudget(1), ProviderBudget(3), ProviderBudget(600), ProviderBudget(0, 1), ProviderBudget(60, 900)]
)
def test_those_who_keep_asking_get_the_whole_budget(budget) -> None:
    clock = Clock()
    limiter = MemoryLimiter(budget, clock)
    tokens = budget.largest_call or 1
    cost = max(budget.cost(tokens).requests, budget.cost(tokens).tokens)
    minutes = 20
    while clock.now < NOW + minutes * MINUTE:
        clock.now += 250_000
        while ask(limiter, tokens) is not None:
            pass
    allowed = minutes * MINUTE / cost
    assert len(limiter.granted) == pytest.approx(allowed, rel=0.01, abs=1)
    assert_within(budget, limiter.granted)


def test_a_minute_of_requests_is_the_whole_limit_over_sixty_one_seconds() -> None:
    assert ProviderBudget(100).cost(7) == Cost(SPREAD_SECONDS * MICROSECONDS // 100, 0)


def test_one_largest_call_of_tokens_is_left_out_of_the_spreading() -> None:
    budget = ProviderBudget(0, 1_000)
    assert budget.largest_call == 50
    assert budget.token_cost(951) == SPREAD_SECONDS * MICROSECONDS
    assert budget.token_cost(-951) == -SPREAD_SECONDS * MICROSECONDS


def test_no_limit_of_tokens_bounds_no_call() -> None:
    assert ProviderBudget(5).largest_call is None
    assert ProviderBudget(0, 7).largest_call == 1
    assert not ProviderBudget().is_limited


@pytest.mark.parametrize("limits", [(-1, 0), (0, -1)])
def test_a_negative_limit_is_refused(limits) -> None:
    with pytest.raises(ValueError, match="positive"):
        ProviderBudget(*limits)


# --- turns


def test_a_call_that_is_too_large_goes_and_is_paid_off_before_the_next() -> None:
    budget = ProviderBudget(0, 1_000)
    clock = Clock()
    limiter = MemoryLimiter(budget, clock)
    assert ask(limiter, 50, 60.0) is not None
    clock.now += MINUTE
    assert ask(limiter, 900) == 0.0
    assert ask(limiter, 1) is None, "the debt"
    clock.now += budget.token_cost(900)
    assert ask(limiter, 1) == 0.0


def test_turns_are_given_in_the_order_of_asking_whatever_the_size() -> None:
    budget = ProviderBudget(0, 1_000)
    turns = Turns()
    turns, _ = reserve(turns, NOW, budget.cost(30), 0)
    after_large, large = reserve(turns, NOW, budget.cost(50), whole(2.0))
    _, small = reserve(after_large, NOW, budget.cost(1), whole(60.0))
    assert large == budget.token_cost(30)
    assert small == budget.token_cost(30) + budget.token_cost(50)


def test_a_denied_call_reserves_nothing() -> None:
    turns = Turns(requests=NOW + 5, tokens=NOW + 3)
    after, wait = reserve(turns, NOW, Cost(7, 7), 4)
    assert wait == 5
    assert (after.requests, after.tokens) == (turns.requests, turns.tokens)


def test_the_denied_come_back_one_after_the_other() -> None:
    turns = Turns(requests=NOW + 5_000)
    waits = []
    for _ in range(4):
        turns, wait = reserve(turns, NOW, Cost(100, 30), 0)
        waits.append(wait)
    assert waits == [5_000, 5_100, 5_200, 5_300]


def test_nobody_comes_back_later_than_the_longest_line_unless_the_turn_is_further_away() -> None:
    long_line = Turns(requests=NOW + 10, line=NOW + 10 * LONGEST_LINE)
    assert reserve(long_line, NOW, Cost(1, 1), 0)[1] == LONGEST_LINE
    far = Turns(quiet=NOW + 2 * LONGEST_LINE)
    assert reserve(far, NOW, Cost(1, 1), 0)[1] == 2 * LONGEST_LINE


def test_nothing_is_saved_up_while_nobody_calls() -> None:
    turns = Turns(requests=NOW - 10 * MINUTE)
    turns, first = reserve(turns, NOW, Cost(100, 0), whole(1))
    _, second = reserve(turns, NOW, Cost(100, 0), whole(1))
    assert (first, second) == (0, 100)


def test_correcting_never_saves_up_either() -> None:
    assert correct(Turns(tokens=NOW - 500), NOW, 20) == Turns(tokens=NOW + 20)
    assert correct(Turns(tokens=NOW + 500), NOW, -20) == Turns(tokens=NOW + 480)
    turns, _ = reserve(correct(Turns(tokens=NOW + 5), NOW, -MINUTE), NOW, Cost(0, 10), 0)
    assert turns.tokens == NOW + 10


def test_quiet_holds_everybody_and_the_longer_one_stays() -> None:
    turns = keep_quiet(keep_quiet(Turns(), NOW, 900), NOW, 300)
    assert turns.quiet == NOW + 900
    assert reserve(turns, NOW, Cost(1, 1), 0)[1] == 900
    after, wait = reserve(turns, NOW, Cost(100, 0), 900)
    assert (after.requests, wait) == (NOW + 1_000, 900), "spaced again when the quiet is over"


def test_a_clock_that_was_set_back_stops_nobody_for_long() -> None:
    ahead = NOW + HORIZON + 1
    assert known(Turns(ahead, ahead, ahead), NOW, Cost(20, 30)) == Turns(NOW + 20, NOW + 30, 0)
    just = NOW + HORIZON
    assert known(Turns(just, just, just), NOW, Cost(20, 30)) == Turns(just, just, just)


# --- coming back


def test_who_was_denied_comes_back_early_enough_to_wait_out_the_rest_and_not_all_at_once() -> None:
    assert return_after(10.0, 2.0, 0.0) == 8.0
    assert return_after(10.0, 2.0, 1.0) == 10.0
    assert return_after(1.0, 2.0, 0.5) == 1.0


def test_a_query_is_served_before_the_stages_that_use_everything_up() -> None:
    limiter = MemoryLimiter(ProviderBudget(60), Clock())
    limiter.acquire(1, 60.0)
    while ask(limiter, 1) is not None:
        pass
    assert ask(limiter, 1, QUERY_PATIENCE) is not None


def test_the_denial_says_how_long_and_what_to_do_in_constant_words() -> None:
    assert denied(1_500_000).retry_after == 1.5
    assert str(denied(1)) == str(denied(2))
    assert "MOBIUS_OPENAI_RPM" in str(denied(1))


def test_without_a_budget_every_call_goes_at_once() -> None:
    limiter = NoLimit()
    limiter.pause(60.0)
    limiter.settle(1, 10**9)
    assert [limiter.acquire(10**9, 0.0) for _ in range(3)] == [0.0] * 3
    assert limiter.paused() == 0.0
    limiter.close()
