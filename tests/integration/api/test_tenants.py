"""A key opens one tenant: whatever belongs to another is not there, at every endpoint that the API has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
from harness.api import ApiDesk, bearer, problem
from harness.revisions import functions

from models.keys import Keys

#: Answered without a key.
OPEN = {"/health/live", "/health/ready"}
#: Lists of the caller's own; another tenant's is another list.
LISTS = {("get", "/api/v1/runs"), ("get", "/api/v1/dead-letters"), ("get", "/api/v1/reconciliations")}
#: Where a name that another tenant uses is the caller's own name.
NAMED = {("post", "/api/v1/projects/{p}/documents")}
#: What an endpoint wants besides its path.
QUERIES = {"/api/v1/projects/{p}/search": {"q": "one"}}


def endpoints(desk: ApiDesk) -> list[tuple[str, str]]:
    """Return (method, path) of everything but health, as the application describes itself."""
    paths = desk.client.get("/api/v1/openapi.json").json()["paths"]
    found = [(method, path) for path, operations in paths.items() for method in operations if path not in OPEN]
    assert len(found) >= 15
    # What changes a thing comes last, and what ends it at the very end.
    return sorted(found, key=lambda each: (each[0] != "get", each[0] == "delete" or each[1].endswith("/cancel")))


def ask(
    desk: ApiDesk, method: str, path: str, ids: dict[str, str], headers: Mapping[str, str | bytes]
) -> httpx.Response:
    """Ask an endpoint about these things; one with a parameter that is not among them is a new one."""
    options: dict[str, Any] = {"params": QUERIES.get(path, {}), "headers": headers}
    if (method, path) in NAMED:
        options["files"] = [("files", ("theirs.py", b"x = 1\n"))]
    return desk.client.request(method, path.format(**ids), **options)


def name_in(path: str) -> str:
    """Return the name of a path's only parameter."""
    return path.partition("{")[2].partition("}")[0]


def ids_of(reply: httpx.Response) -> set[str]:
    return {value for item in reply.json()["items"] for name, value in item.items() if name.endswith("_id")}


def belongings(desk: ApiDesk) -> dict[str, str]:
    """Make one of everything for the desk's tenant and return the ids, by the names of path parameters."""
    bench = desk.bench
    bench.ingest({"poison.py": functions("poison")})
    claim = bench.claim()
    bench.wear_out(claim.token.slice_id)
    bench.crash(claim)
    bench.ledger.sweep(60.0)
    run = bench.ingest({"a.py": functions("one", "two")})
    token = bench.take()
    bench.rows(
        "INSERT INTO reconciliations (id, project_id, is_repair) VALUES (:id, :project, false)",
        id=uuid4(),
        project=bench.source.scope.project_id,
    )
    return {
        "p": "project",
        "run_id": str(run.id),
        "document_id": str(bench.document("a.py")),
        "dead_letter_id": str(bench.one("SELECT id FROM dead_letters")),
        "task_id": token.task_id,
    }


def test_the_owner_finds_it_and_another_tenant_does_not(desk: ApiDesk) -> None:
    ids = belongings(desk)
    theirs = bearer(Keys(desk.bench.engine).create("another", "key").secret)
    for method, path in endpoints(desk):
        ours = ask(desk, method, path, ids, bearer(desk.key))
        assert ours.status_code < 300, f"{path}: {ours.text}"
        if (method, path) in NAMED:
            continue
        reply = ask(desk, method, path, ids, theirs)
        if (method, path) in LISTS:
            assert ours.json()["items"], path
            assert not ids_of(ours) & ids_of(reply), path
        else:
            assert problem(reply) == (404, "NotFound"), path


def test_a_missing_id_and_another_tenants_are_answered_alike(desk: ApiDesk) -> None:
    ids = belongings(desk)
    theirs = bearer(Keys(desk.bench.engine).create("another", "key").secret)
    missing = {
        "p": "no such project",
        "run_id": str(uuid4()),
        "document_id": str(uuid4()),
        "dead_letter_id": str(uuid4()),
        "task_id": f"{uuid4()}:parse:1",
    }
    for method, path in endpoints(desk):
        if (method, path) in LISTS | NAMED:
            continue
        replies = [ask(desk, method, path, each, theirs).json()["error"]["message"] for each in (ids, missing)]
        name = name_in(path)
        # A project's name is a common word; only where it is quoted does it stand for the project.
        quoted = [repr(each[name]) if name == "p" else each[name] for each in (ids, missing)]
        replies = [
            message.replace(repr(each), "ID").replace(each, "ID") for message, each in zip(replies, quoted, strict=True)
        ]
        assert replies[0] == replies[1], path


def test_a_project_of_the_same_name_is_another_project(desk: ApiDesk) -> None:
    belongings(desk)
    key = Keys(desk.bench.engine).create("another", "key").secret
    assert desk.upload({"b.py": "x = 1\n"}, key=key).status_code == 202
    rows = desk.bench.rows(
        "SELECT t.name, d.path FROM documents d JOIN tenants t ON t.id = d.tenant_id"
        " JOIN projects p ON p.id = d.project_id AND p.tenant_id = t.id WHERE p.name = 'project' ORDER BY d.path"
    )
    found = [(row["name"], row["path"]) for row in rows]
    assert found == [("tenant", "a.py"), ("another", "b.py"), ("tenant", "poison.py")]
    desk.bench.finish()
    found = desk.get("/api/v1/projects/project/search", key=key, q="one", mode="dense", limit=100).json()["items"]
    assert {hit["path"] for hit in found} == {"b.py"}


def test_every_endpoint_refuses_a_request_without_a_valid_key(desk: ApiDesk) -> None:
    ids = belongings(desk)
    revoked = Keys(desk.bench.engine).create("tenant", "old")
    Keys(desk.bench.engine).revoke(revoked.line.key_id)
    refused: list[dict[str, str]] = [
        {},
        bearer("mob_guess"),
        bearer(revoked.secret),
        {"X-API-Key": "kéy"},
        {"Authorization": f"Basic {desk.key}"},
        {"Authorization": "Bearer "},
    ]
    for method, path in endpoints(desk):
        for headers in refused:
            reply = ask(desk, method, path, ids, {name: value.encode() for name, value in headers.items()})
            assert problem(reply) == (401, "Unauthorized"), f"{path} {headers}"
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_health_needs_no_key(desk: ApiDesk) -> None:
    assert all(desk.client.get(path).status_code == 200 for path in OPEN)


def test_both_headers_carry_a_key(desk: ApiDesk) -> None:
    assert desk.client.get("/api/v1/runs", headers={"X-API-Key": desk.key}).status_code == 200
    assert desk.client.get("/api/v1/runs", headers={"Authorization": f"bearer {desk.key}"}).status_code == 200


def test_a_revoked_key_is_refused_at_once(desk: ApiDesk) -> None:
    made = Keys(desk.bench.engine).create("tenant", "short-lived")
    assert desk.get("/api/v1/runs", key=made.secret).status_code == 200
    Keys(desk.bench.engine).revoke(made.line.key_id)
    assert problem(desk.get("/api/v1/runs", key=made.secret)) == (401, "Unauthorized")
