"""What only the limiter in Redis can do: agree with the arithmetic to the microsecond, and fail as one should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from harness.servers import RedisServer, free_port
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.budget import HORIZON, MICROSECONDS, ProviderBudget, Turns, correct, keep_quiet, known, reserve
from pipeline.errors import BadCredentials, RateLimited, ServiceUnavailable
from worker.adapters import limiter as scripts
from worker.adapters.limiter import RedisLimiter

NOW = 1_763_000_000 * MICROSECONDS
BUDGET = ProviderBudget(60, 1_000)
FIELDS = ("requests", "tokens", "quiet", "line")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of the module's own."""
    made = RedisServer(tmp_path_factory.mktemp("limiter") / "redis")
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with server.client as made:
        yield made


@pytest.fixture
def model() -> str:
    return f"test/{uuid4()}/8"


@pytest.fixture
def limiter(server: RedisServer, model: str) -> Iterator[RedisLimiter]:
    made = RedisLimiter(BUDGET, server.url, model)
    yield made
    made.close()


# --- the same arithmetic


class Both:
    """The scripts and the pure functions, side by side, at moments of the test's choice."""

    def __init__(self, client: redis.Redis, budget: ProviderBudget) -> None:
        self.now = NOW
        self._client = client
        self._budget = budget
        self._key = f"agreement:{uuid4()}"
        self._turns: Turns | None = None

    def reserve(self, tokens: int, patience: int) -> None:
        cost = self._budget.cost(tokens)
        self._turns, wait = reserve(self._known(), self.now, cost, patience)
        assert self._run(scripts._RESERVE, cost.requests, cost.tokens, patience) == wait
        self._agree()

    def correct(self, tokens: int) -> None:
        difference = self._budget.token_cost(tokens)
        if self._turns is not None:
            self._turns = correct(self._known(), self.now, difference)
        self._run(scripts._CORRECT, difference)
        self._agree()

    def quiet(self, duration: int) -> None:
        if duration:
            self._turns = keep_quiet(self._known(), self.now, duration)
        assert self._run(scripts._QUIET, duration) == max(0, self._known().quiet - self.now)
        self._agree()

    def forget(self) -> None:
        self._client.delete(self._key)
        self._turns = None

    def _known(self) -> Turns:
        return known(self._turns, self.now, self._budget.unknown_past())

    def _run(self, script: str, *args: int) -> int:
        seconds, micro = divmod(self.now, MICROSECONDS)
        assert script.count("redis.call('TIME')") == 1
        frozen = script.replace("redis.call('TIME')", f"{{'{seconds}', '{micro}'}}")
        unknown = self._budget.unknown_past()
        return int(self._client.eval(frozen, 1, self._key, unknown.requests, unknown.tokens, *args))

    def _agree(self) -> None:
        stored = self._client.hmget(self._key, FIELDS)
        if self._turns is None:
            assert stored == [None] * 4
        else:
            turns = self._turns
            assert list(map(int, stored)) == [turns.requests, turns.tokens, turns.quiet, turns.line]


tokens = st.one_of(st.integers(0, 3_000), st.integers(0, 10**7))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.one_of(st.integers(0, 10**6), st.integers(-2 * HORIZON, 2 * HORIZON))),
        st.tuples(st.just("reserve"), tokens, st.sampled_from([0, 1, 2 * MICROSECONDS, 10**11])),
        st.tuples(st.just("correct"), st.integers(-(10**6), 10**6)),
        st.tuples(st.just("quiet"), st.sampled_from([0, 0, 1, 30 * MICROSECONDS, 3_600 * MICROSECONDS])),
        st.tuples(st.just("forget")),
    ),
    max_size=40,
)
budgets = st.builds(ProviderBudget, st.integers(0, 10_000), st.integers(0, 10_000_000))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(budgets, steps)
def test_the_scripts_and_the_arithmetic_agree_to_the_microsecond(client, budget, steps) -> None:
    both = Both(client, budget)
    for name, *values in steps:
        if name == "pass":
            both.now += values[0]
        else:
            getattr(both, name)(*values)
    both.forget()


@pytest.mark.parametrize("back", [HORIZON - 10**8, HORIZON + 10**8, 10 * HORIZON])
def test_they_agree_about_a_clock_that_is_set_back(client, back) -> None:
    both = Both(client, BUDGET)
    both.reserve(5, 10**11)
    both.quiet(60 * MICROSECONDS)
    both.now -= back
    both.quiet(0)
    both.reserve(5, 0)
    both.forget()


# --- what is stored


def test_the_key_is_the_models_and_expires_when_nobody_calls_any_more(limiter, client, model) -> None:
    limiter.acquire(1, 1_000.0)
    key = f"mobius:budget:{model}"
    assert set(client.hkeys(key)) == {field.encode() for field in FIELDS}
    assert 29 * 86_400 < client.ttl(key) <= 30 * 86_400


def test_models_do_not_share_a_budget(server, limiter) -> None:
    limiter.pause(600.0)
    other = RedisLimiter(BUDGET, server.url, f"test/{uuid4()}/8")
    assert other.paused() == 0.0
    other.close()


def test_the_clock_is_redis_own(limiter, client, model) -> None:
    limiter.pause(600.0)
    seconds, _ = client.time()
    quiet = int(client.hget(f"mobius:budget:{model}", "quiet"))
    assert 590 < quiet / MICROSECONDS - seconds <= 601


def test_scripts_that_redis_has_lost_are_loaded_again(limiter, client) -> None:
    limiter.pause(600.0)
    client.script_flush()
    assert limiter.paused() > 0


# --- what goes wrong


def test_a_redis_that_is_away_is_a_passing_fault_and_corrections_are_dropped(tmp_path: Path) -> None:
    limiter = RedisLimiter(BUDGET, f"redis://127.0.0.1:{free_port()}", "test/away/8")
    with pytest.raises(ServiceUnavailable, match="Redis does not answer"):
        limiter.acquire(1, 0.0)
    with pytest.raises(ServiceUnavailable):
        limiter.paused()
    limiter.settle(10, 1)
    limiter.pause(10.0)
    limiter.close()


def test_a_restarted_redis_is_asked_again_and_has_forgotten_nothing(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis")
    server.start()
    limiter = RedisLimiter(BUDGET, server.url, "test/restarted/8")
    try:
        server.client.config_set("appendfsync", "always")
        limiter.pause(700.0)
        server.kill()
        server.start()
        assert 600 < limiter.paused() <= 700
    finally:
        limiter.close()
        server.kill()


def test_a_password_that_redis_refuses_is_for_an_operator(server, client) -> None:
    client.config_set("requirepass", "right")
    limiter = RedisLimiter(BUDGET, server.url.replace("://", "://:wrong@"), "test/password/8")
    try:
        with pytest.raises(BadCredentials, match="REDIS_URL"):
            limiter.acquire(1, 0.0)
    finally:
        limiter.close()
        client.config_set("requirepass", "")


def test_a_key_that_is_something_else_is_said_so(limiter, client, model) -> None:
    client.set(f"mobius:budget:{model}", "something else")
    with pytest.raises(ServiceUnavailable, match="WRONGTYPE"):
        limiter.acquire(1, 0.0)
    client.delete(f"mobius:budget:{model}")
    with pytest.raises(RateLimited):
        limiter.acquire(1, 0.0)
