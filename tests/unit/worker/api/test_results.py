"""Celery's results are read as its own backend writes them, and without it the answer is 'unavailable'."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from celery import Celery
from redis.exceptions import ConnectionError as RedisConnectionError

from pipeline.errors import ServiceUnavailable
from worker.api.results import UNAVAILABLE, Belief, CeleryResults

URL = "redis://nowhere:6379/1"


class Store:
    """Stands where the Redis client does."""

    def __init__(self, values: dict[bytes, bytes] | Exception) -> None:
        self.values = values

    async def get(self, key: bytes) -> bytes | None:
        if isinstance(self.values, Exception):
            raise self.values
        return self.values.get(key)

    async def ping(self) -> bool:
        if isinstance(self.values, Exception):
            raise self.values
        return True

    async def aclose(self) -> None:
        """Nothing is open."""


def results(values: dict[bytes, bytes] | Exception) -> CeleryResults:
    made = CeleryResults(URL)
    made._client = Store(values)  # asks nobody
    return made


def stored(task_id: str, result: object, state: str) -> dict[bytes, bytes]:
    """Return what a worker's own backend puts into Redis for a result."""
    worker = Celery("worker", set_as_current=False, backend=URL)
    worker.conf.update(result_serializer="json", accept_content=["json"])
    meta: dict[str, Any] = worker.backend._get_result_meta(
        result=worker.backend.encode_result(result, state), state=state, traceback="a trace", request=None
    )
    return {worker.backend.get_key_for_task(task_id): worker.backend.encode({**meta, "task_id": task_id}).encode()}


def test_counts_of_a_finished_task_are_told() -> None:
    made = results(stored("s:parse:1", {"outlines": 3}, "SUCCESS"))
    belief = asyncio.run(made.belief("s:parse:1"))
    assert (belief.state, belief.counts, belief.error) == ("SUCCESS", {"outlines": 3}, "")
    assert belief.finished_at


def test_what_a_failed_task_raised_is_told_without_making_it_anew() -> None:
    made = results(stored("s:parse:1", ValueError("the first", "and second"), "FAILURE"))
    belief = asyncio.run(made.belief("s:parse:1"))
    assert (belief.state, belief.counts, belief.error) == ("FAILURE", None, "ValueError: the first and second")


def test_a_task_that_celery_knows_nothing_of_is_pending_in_its_words() -> None:
    assert asyncio.run(results({}).belief("s:parse:1")) == Belief("PENDING")


@pytest.mark.parametrize("fault", [RedisConnectionError("refused"), OSError(), TimeoutError()])
def test_without_redis_it_is_unavailable(fault: Exception) -> None:
    assert asyncio.run(results(fault).belief("s:parse:1")) == UNAVAILABLE
    with pytest.raises(ServiceUnavailable):
        asyncio.run(results(fault).ping())


def test_without_an_address_it_is_unavailable() -> None:
    made = CeleryResults(None)
    assert asyncio.run(made.belief("s:parse:1")) == UNAVAILABLE
    with pytest.raises(ServiceUnavailable):
        asyncio.run(made.ping())
    asyncio.run(made.close())


@pytest.mark.parametrize("word", ["CERT_REQUIRED", "CERT_OPTIONAL", "CERT_NONE", "required"])
def test_celerys_spelling_of_an_encrypted_address_is_understood(word: str) -> None:
    made = CeleryResults(f"rediss://nowhere:6379/1?ssl_cert_reqs={word}")
    assert made._client is not None
    made._client.connection_pool.make_connection()
