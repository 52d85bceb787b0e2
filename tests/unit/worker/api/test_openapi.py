"""The API describes itself: every reply with an example that is true to its schema, and who may ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker
from starlette.testclient import TestClient

#: Answered to everybody.
OPEN = ("/health/live", "/health/ready")
#: What the requirement names.
PROMISED = {
    ("post", "/api/v1/projects/{p}/documents"),
    ("get", "/api/v1/runs"),
    ("get", "/api/v1/runs/{run_id}"),
    ("get", "/api/v1/runs/{run_id}/documents"),
    ("post", "/api/v1/runs/{run_id}/cancel"),
    ("post", "/api/v1/runs/{run_id}/pause"),
    ("post", "/api/v1/runs/{run_id}/resume"),
    ("get", "/api/v1/dead-letters"),
    ("get", "/api/v1/dead-letters/{dead_letter_id}"),
    ("post", "/api/v1/dead-letters/{dead_letter_id}/retry"),
    ("delete", "/api/v1/dead-letters/{dead_letter_id}"),
    ("get", "/api/v1/documents/{document_id}"),
    ("get", "/api/v1/tasks/{task_id}"),
    ("get", "/api/v1/projects/{p}/search"),
    ("get", "/api/v1/reconciliations"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
}


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    del client.headers["Authorization"]
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_promised_endpoint_is_there_and_no_other(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in operations(document)} == PROMISED


def test_every_endpoint_says_what_it_does(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)
        for parameter in operation.get("parameters", []):
            described = parameter.get("description") or parameter["schema"].get("format") == "uuid"
            assert described or parameter["name"] == "task_id", (path, parameter)


def test_every_reply_has_an_example_that_fits_its_schema(document: dict[str, Any]) -> None:
    checked = 0
    for method, path, operation in operations(document):
        for status, reply in operation["responses"].items():
            media = reply["content"]["application/json"]
            schema = {**media["schema"], "components": document["components"]}
            Draft202012Validator(schema, format_checker=FormatChecker()).validate(media["example"])
            assert status[0] == "2" or "error" in media["example"], (method, path, status)
            checked += 1
    assert checked > 40


def test_an_example_that_does_not_fit_would_be_noticed(document: dict[str, Any]) -> None:
    media = document["paths"]["/api/v1/runs/{run_id}"]["get"]["responses"]["200"]["content"]["application/json"]
    schema = {**media["schema"], "components": document["components"]}
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    assert validator.is_valid(media["example"])
    assert not validator.is_valid({**media["example"], "state": "finished"})
    assert not validator.is_valid({name: value for name, value in media["example"].items() if name != "points"})


def test_an_example_leaves_no_field_out(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        reply = next(reply for status, reply in operation["responses"].items() if status[0] == "2")
        media = reply["content"]["application/json"]
        schema = document["components"]["schemas"][media["schema"]["$ref"].rpartition("/")[2]]
        assert set(media["example"]) == set(schema["properties"]), path


def test_every_endpoint_but_health_asks_for_a_key_and_says_so(document: dict[str, Any]) -> None:
    assert set(document["components"]["securitySchemes"]) == {"Bearer", "ApiKey"}
    for method, path, operation in operations(document):
        if path in OPEN:
            assert "security" not in operation
            continue
        assert {"Bearer", "ApiKey"} == {name for each in operation["security"] for name in each}, (method, path)
        assert {"401", "503"} <= operation["responses"].keys()


def test_no_error_is_documented_in_another_form(document: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for _, path, operation in operations(document):
        for status, reply in operation["responses"].items():
            if status[0] != "2":
                schema = reply["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemReply"}, (path, status)


def test_no_page_loads_anything_from_elsewhere(app: FastAPI, client: TestClient) -> None:
    assert (app.docs_url, app.redoc_url) == (None, None)
    assert all(client.get(path).status_code == 404 for path in ("/docs", "/redoc", "/docs/oauth2-redirect"))
