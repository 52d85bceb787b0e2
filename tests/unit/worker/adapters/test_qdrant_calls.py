"""One call to Qdrant: what is tried again, and what each of the client's errors means."""

from __future__ import annotations

import threading
from functools import partial
from json import JSONDecodeError

import httpx
import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from pipeline.errors import BadCredentials, RateLimited, ServiceUnavailable
from worker.adapters.qdrant_calls import MissingCollection, RequestRefused, call, side_by_side

REQUEST = httpx.Request("GET", "http://127.0.0.1")


def status(code: int) -> UnexpectedResponse:
    return UnexpectedResponse(code, "", b'{"status": {"error": "because"}}', httpx.Headers())


class Failing:
    """Raises what it was given, one after the other, then returns its arguments."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, *args: object, **kwargs: object) -> object:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return args, kwargs


def test_arguments_and_result_pass_through():
    assert call(Failing(), 1, two=2) == ((1,), {"two": 2})


@pytest.mark.parametrize(
    "passing", [status(500), status(503), ResponseHandlingException(httpx.ConnectError("no", request=REQUEST))]
)
def test_a_passing_fault_is_tried_again(passing):
    function = Failing(passing, passing)
    call(function)
    assert function.calls == 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (status(401), BadCredentials),
        (status(403), BadCredentials),
        (status(404), MissingCollection),
        (status(400), RequestRefused),
        (status(409), RequestRefused),
        (status(413), RequestRefused),
        (status(429), ServiceUnavailable),
        (ResourceExhaustedResponse("", 3), RateLimited),
        (ResponseHandlingException(httpx.ReadTimeout("slow", request=REQUEST)), ServiceUnavailable),
        (ResponseHandlingException(ValueError("not what was promised")), ServiceUnavailable),
        (JSONDecodeError("no", "", 0), ServiceUnavailable),
    ],
)
def test_any_other_fault_is_translated_at_once(error, expected):
    function = Failing(error)
    with pytest.raises(expected) as raised:
        call(function)
    assert type(raised.value) is expected
    assert raised.value.__cause__ is error
    assert function.calls == 1


def test_a_fault_that_lasts_is_given_up_after_three_tries():
    function = Failing(*[status(502)] * 5)
    with pytest.raises(ServiceUnavailable, match="502"):
        call(function)
    assert function.calls == 3


def test_a_refusal_says_what_the_server_said():
    with pytest.raises(RequestRefused, match="because"):
        call(Failing(status(400)))


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(TypeError):
        call(Failing(TypeError("a bug")))


# --- several calls


def test_what_several_calls_return_comes_in_their_order() -> None:
    second_is_done = threading.Event()

    def first() -> int:
        assert second_is_done.wait(10), "the second call is not made while the first one lasts"
        return 1

    def second() -> int:
        second_is_done.set()
        return 2

    assert side_by_side([first, second]) == [1, 2]
    assert side_by_side([lambda: 3]) == [3]
    assert side_by_side([]) == []


def test_when_one_call_fails_the_others_are_made_all_the_same() -> None:
    made: list[int] = []

    def make(number: int) -> None:
        if number == 1:
            raise ServiceUnavailable("Qdrant")
        made.append(number)

    with pytest.raises(ServiceUnavailable):
        side_by_side([partial(make, number) for number in range(6)])
    assert sorted(made) == [0, 2, 3, 4, 5]
