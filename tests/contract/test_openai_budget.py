"""Every try of a call keeps to the budget, a 429 stops all who share it, and a tight budget stops no progress."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from pipeline.budget import MICROSECONDS, ProviderBudget
from pipeline.embed import halve
from pipeline.errors import InputRejected, RateLimited, ServiceUnavailable
from pipeline.identity import embed_hash
from pipeline.testing import MemoryLimiter
from pipeline.testing.openai_stub import Fault, OpenAIStub
from pipeline.types import EmbeddingCall, EmbeddingFault, EmbeddingReply
from worker.adapters.openai import OpenAIEmbedder

HOUR = 3_600 * MICROSECONDS


class Shared:
    """A limiter with a clock that stands still, past whatever an unknown past had used."""

    def __init__(self, budget: ProviderBudget) -> None:
        self.now = HOUR
        self.limiter = MemoryLimiter(budget, lambda: self.now)
        self.limiter.acquire(0, 1_000.0)
        self.now += HOUR
        self.limiter.granted.clear()


@pytest.fixture
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub(dims=8) as running:
        yield running


@pytest.fixture
def make(stub: OpenAIStub) -> Iterator[Callable[[MemoryLimiter], OpenAIEmbedder]]:
    made = []

    def build(limiter: MemoryLimiter) -> OpenAIEmbedder:
        made.append(OpenAIEmbedder("key", stub.url, "stub-model", 8, timeout=10, limiter=limiter))
        return made[-1]

    yield build
    for embedder in made:
        embedder.close()


def call(*texts: str) -> EmbeddingCall:
    return EmbeddingCall(tuple(embed_hash(text) for text in texts), texts)


def errors(outcomes: list[EmbeddingReply | EmbeddingFault]) -> list[type]:
    return [type(each.error) for each in outcomes if isinstance(each, EmbeddingFault)]


def test_every_try_of_a_call_is_one_of_the_budget(stub, make) -> None:
    shared = Shared(ProviderBudget(60_000))
    stub.faults.extend([Fault(status=503), Fault(hang_up=True)])
    assert errors(list(make(shared.limiter).embed([call("one", "two")]))) == []
    assert len(stub.calls) == len(shared.limiter.granted) == 3


def test_a_try_that_the_budget_denies_ends_the_call_and_is_no_failure(stub, make) -> None:
    shared = Shared(ProviderBudget(1))
    stub.faults.append(Fault(status=503))
    (denied,) = make(shared.limiter).embed([call("one")])
    assert type(denied.error) is RateLimited
    assert denied.error.status == 503, "what the one try showed is not lost"
    assert len(stub.calls) == 1
    (unsent,) = make(shared.limiter).embed([call("two")])
    assert (type(unsent.error), unsent.error.status) == (RateLimited, None)


def test_a_batch_waits_for_the_turns_that_come_in_time_and_the_rest_is_not_sent(stub, make) -> None:
    shared = Shared(ProviderBudget(60))
    outcomes = list(make(shared.limiter).embed([call(f"text {n}") for n in range(10)]))
    assert len(stub.calls) == len(shared.limiter.granted) == 2, "now and in 1.02 s; the third turn is in 2.03 s"
    assert errors(outcomes) == [RateLimited] * 8
    assert {each.call.inputs[0] for each in outcomes} == {f"text {n}" for n in range(10)}


def test_what_cannot_be_asked_for_is_not_sent(stub, make) -> None:
    shared = Shared(ProviderBudget(60))
    shared.limiter.fault = ServiceUnavailable("Redis")
    assert errors(list(make(shared.limiter).embed([call("one")]))) == [ServiceUnavailable]
    with pytest.raises(ServiceUnavailable, match="Redis"):
        make(shared.limiter).embed_query("where")
    assert stub.calls == []


def test_a_query_counts_and_is_denied_when_its_turn_is_far_away(stub, make) -> None:
    shared = Shared(ProviderBudget(1))
    embedder = make(shared.limiter)
    embedder.embed_query("where")
    with pytest.raises(RateLimited):
        embedder.embed_query("where")
    assert len(stub.calls) == len(shared.limiter.granted) == 1


def test_a_429_stops_everybody_who_shares_the_budget(stub, make) -> None:
    shared = Shared(ProviderBudget(60_000))
    stub.faults.append(Fault(status=429, headers={"Retry-After": "60"}))
    assert errors(list(make(shared.limiter).embed([call("one")]))) == [RateLimited]
    assert shared.limiter.paused() == 60.0
    (other,) = make(shared.limiter).embed([call("two")])
    assert isinstance(other.error, RateLimited)
    assert 58.0 <= other.error.retry_after <= 60.0
    assert len(stub.calls) == 1


def test_the_tokens_that_a_call_really_had_are_what_it_costs(stub, make) -> None:
    budget = ProviderBudget(0, 10_000)
    shared = Shared(budget)
    assert errors(list(make(shared.limiter).embed([call("nine words of text that are far fewer tokens " * 20)]))) == []
    next_turn = shared.limiter.acquire(1, 60.0)
    assert next_turn == pytest.approx(budget.token_cost(180) / MICROSECONDS), "the stub counts words"


def test_a_count_of_tokens_that_cannot_be_true_stops_nobody_for_long(stub, make) -> None:
    budget = ProviderBudget(0, 10_000)
    shared = Shared(budget)
    data = [{"index": 0, "embedding": [1.0] * 8}]
    stub.faults.append(Fault(body=json.dumps({"data": data, "usage": {"prompt_tokens": 10**15}}).encode()))
    assert errors(list(make(shared.limiter).embed([call("x" * 300)]))) == []
    assert shared.limiter.acquire(1, 60.0) == pytest.approx(budget.token_cost(300) / MICROSECONDS)


def test_a_refused_call_is_not_paid_for_again_but_split(stub, make) -> None:
    embedder = make(Shared(ProviderBudget(60_000)).limiter)
    whole = call("good", "bad", "better", "best")
    stub.faults.append(Fault(status=400))
    assert errors(list(embedder.embed([whole]))) == [InputRejected]
    assert errors(list(embedder.embed([whole]))) == [InputRejected]
    assert len(stub.calls) == 1
    assert errors(list(embedder.embed(halve(whole)))) == []
    assert len(stub.calls) == 3


def test_a_text_that_was_refused_alone_is_tried_again(stub, make) -> None:
    embedder = make(Shared(ProviderBudget(60_000)).limiter)
    stub.faults.append(Fault(status=400))
    assert errors(list(embedder.embed([call("bad")]))) == [InputRejected]
    assert errors(list(embedder.embed([call("bad")]))) == []
