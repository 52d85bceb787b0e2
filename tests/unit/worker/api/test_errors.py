"""Every reply that is no success has one form, says what to do, and gives nothing away."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import structlog
from harness.api import problem
from starlette.testclient import TestClient

from models.listings import read_runs
from models.views import read_report
from pipeline.errors import (
    BadCredentials,
    IngestError,
    InputRejected,
    RateLimited,
    SchemaMismatch,
    ServiceUnavailable,
    TransientError,
)
from pipeline.intake import SourceBusy

RUN = f"/api/v1/runs/{UUID(int=3)}"
SECRET = "connection to db.internal:5432 as user root failed"


@pytest.mark.parametrize(
    ("exc", "status", "says"),
    [
        (ServiceUnavailable("Postgres", SECRET), 503, "Postgres does not answer"),
        (RateLimited(3.2, SECRET), 503, "try again later"),
        (SchemaMismatch(SECRET), 503, "mobius migrate"),
        (BadCredentials(SECRET), 503, "set the right key"),
        (SourceBusy(SECRET), 409, "send the request again"),
        (InputRejected(SECRET), 422, "shorten"),
        (TransientError(SECRET), 503, "try again"),
        (IngestError(SECRET), 503, "try again"),
    ],
)
def test_an_error_keeps_its_name_says_what_to_do_and_hides_the_servers_words(
    client: TestClient, answers: Any, exc: IngestError, status: int, says: str
) -> None:
    answers.by_question[read_report] = exc
    reply = client.get(RUN)
    assert problem(reply) == (status, exc.code)
    assert says in reply.json()["error"]["message"]
    assert "internal" not in reply.text
    assert ("Retry-After" in reply.headers) == isinstance(exc, TransientError) or type(exc) is IngestError


def test_a_fault_of_ours_is_a_500_in_the_same_form_and_logged_with_its_trace(client: TestClient, answers: Any) -> None:
    answers.by_question[read_report] = KeyError(SECRET)
    with structlog.testing.capture_logs() as logs:
        reply = client.get(RUN)
    assert problem(reply) == (500, "InternalError")
    assert "internal" not in reply.text.replace("InternalError", "")
    crashed, served = logs
    assert (crashed["event"], crashed["exc_info"]) == ("request_crashed", True)
    assert (served["event"], served["status"]) == ("request_served", 500)


def test_a_path_that_does_not_exist_and_a_method_that_is_not_answered(client: TestClient) -> None:
    for path in ("/", "/api", "/api/v1/runs/", "/docs", "/redoc", "/openapi.json", "/api/v1/%00", "/api/v2/runs"):
        assert problem(client.get(path)) == (404, "NotFound"), path
    reply = client.delete(RUN)
    assert problem(reply) == (405, "MethodNotAllowed")
    assert reply.headers["Allow"] == "GET"
    assert "use GET" in reply.text


def test_a_value_that_is_refused_is_named_but_not_repeated(client: TestClient) -> None:
    reply = client.get("/api/v1/runs", params={"limit": "hunter2", "state": "hunter2"})
    assert problem(reply) == (422, "InvalidRequest")
    assert "query.limit" in reply.text
    assert "query.state" in reply.text
    assert "hunter2" not in reply.text


def test_a_request_without_a_key_is_refused_before_anything_else_is_looked_at(client: TestClient) -> None:
    client.headers.pop("Authorization")
    for reply in (
        client.get("/api/v1/runs", params={"limit": "many"}),
        client.get("/api/v1/runs/no-id"),
        client.post("/api/v1/projects/p/documents", content=b"x" * 1_000_000),
    ):
        assert problem(reply) == (401, "Unauthorized")
        assert "Authorization: Bearer" in reply.text
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="mobius"'


def test_a_sane_request_id_is_kept_and_any_other_replaced(client: TestClient, answers: Any) -> None:
    answers.by_question[read_runs] = []
    sane = "c0ffee-7:a.b_1/x=+"
    assert client.get("/api/v1/runs", headers={"X-Request-ID": sane}).headers["X-Request-ID"] == sane
    for mad in ("", "a b", "x" * 65, 'a"}', "ü".encode(), "a\tb"):
        given = client.get("/api/v1/runs", headers={"X-Request-ID": mad}).headers["X-Request-ID"]
        assert len(given) == 32, mad
        assert given != mad


def test_a_request_leaves_one_line_without_its_query_path_or_key(client: TestClient, answers: Any) -> None:
    answers.by_question[read_runs] = []
    answers.by_question[read_report] = None
    with structlog.testing.capture_logs() as logs:
        client.get("/api/v1/runs", params={"project": "hush"}, headers={"X-Request-ID": "mine"})
        client.get(RUN)
        client.get("/nowhere/hush")
        client.get("/health/live")
    assert [(line["event"], line["method"], line["route"], line["status"]) for line in logs] == [
        ("request_served", "GET", "/api/v1/runs", 200),
        ("request_served", "GET", "/api/v1/runs/{run_id}", 404),
        ("request_served", "GET", "", 404),
        ("request_served", "GET", "/health/live", 200),
    ]
    assert [line["tenant_id"] for line in logs] == [str(UUID(int=1))] * 2 + [""] * 2
    assert [line["log_level"] for line in logs] == ["info"] * 3 + ["debug"]
    assert all(line["ms"] >= 0 for line in logs)
    assert not {"hush", "mob_"} & {word for word in ("hush", "mob_") if word in str(logs)}
