"""The real `mobius api` beside real workers: it serves while Redis or Qdrant are down; no request holds another."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from harness.api import bearer, problem
from harness.fleet import Fleet, wait_until
from harness.served import Served
from harness.servers import RedisServer, free_port
from harness.trees import module

#: An answer that takes longer has hung on a dead service (seconds).
PROMPT = 10.0


@pytest.fixture
def serve(fleet: Fleet) -> Iterator[Callable[..., Served]]:
    """Start an API on a free port, with a key of the default tenant."""
    clients: list[httpx.Client] = []

    def start(**extra: str) -> Served:
        made = json.loads(fleet.mobius("keys", "create", "--name", "test", "--json").stdout)
        member = fleet.start("api", ["worker.cli.main", "api", "--port", "0"], **extra)
        wait_until(lambda: bool(member.records("api_started")) or not member.is_alive, "the API listens")
        assert member.is_alive, member.log.read_text()
        url = str(member.records("api_started")[-1]["url"])
        client = httpx.Client(base_url=url, headers=bearer(made["key"]), timeout=60)
        clients.append(client)
        return Served(member, client, made["key"])

    yield start
    for client in clients:
        client.close()


def took(ask: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


def test_an_upload_is_indexed_and_found(fleet: Fleet, serve: Callable[..., Served]) -> None:
    fleet.dispatcher()
    fleet.worker("worker")
    api = serve()
    assert api.get("/health/ready").json()["status"] == "ready"
    reply = api.upload({"src/first.py": module("first", 3), "notes.md": "# Notes\n\nAbout baskets.\n", ".env": "A=1\n"})
    assert reply.status_code == 202, reply.text
    run_id = reply.json()["run_id"]
    assert [skip["path"] for skip in reply.json()["skipped"]] == [".env"]
    wait_until(lambda: api.run_state(run_id) == "succeeded", "the run is done")
    documents = api.get(f"/api/v1/runs/{run_id}/documents").json()["items"]
    assert {(row["path"], row["outcome"]) for row in documents} == {
        ("src/first.py", "indexed"),
        ("notes.md", "indexed"),
    }
    assert api.get(f"/api/v1/documents/{documents[0]['document_id']}").json()["chunks"] > 0
    found = api.get("/api/v1/projects/shop/search", q="about baskets", limit=1).json()["items"]
    assert [hit["path"] for hit in found] == ["notes.md"]
    task = f"/api/v1/tasks/{api.last_task(documents[0]['slice_id'])}"
    # A worker stores a result after the work is committed.
    wait_until(lambda: api.get(task).json()["celery"]["state"] == "SUCCESS", "Celery knows it too")
    assert api.get(task).json()["ledger"]["state"] == "done"
    assert api.get(task).json()["celery"]["counts"]
    assert api.key not in api.member.log.read_text()


def test_without_redis_everything_but_celerys_view_is_answered_at_once(
    fleet: Fleet, serve: Callable[..., Served], redis_server: RedisServer
) -> None:
    fleet.dispatcher()
    fleet.worker("worker")
    api = serve()
    first = api.upload({"a.py": module("first", 2)}).json()["run_id"]
    wait_until(lambda: api.run_state(first) == "succeeded", "the first run is done")
    document = api.get(f"/api/v1/runs/{first}/documents").json()["items"][0]
    task_path = f"/api/v1/tasks/{api.last_task(document['slice_id'])}"
    redis_server.kill()
    paths = {
        "/api/v1/runs": {},
        f"/api/v1/runs/{first}": {},
        f"/api/v1/documents/{document['document_id']}": {},
        "/api/v1/projects/shop/search": {"q": "first"},
        task_path: {},
        "/health/ready": {},
    }
    for path, params in paths.items():
        reply, seconds = took(lambda path=path, params=params: api.get(path, **params))
        assert (reply.status_code, seconds < PROMPT) == (200, True), (path, seconds)
    task = api.get(task_path).json()
    assert (task["celery"]["state"], task["ledger"]["state"]) == ("UNAVAILABLE", "done")
    assert api.get("/health/ready").json()["services"] == {"postgres": "ok", "redis": "down", "qdrant": "ok"}
    reply, seconds = took(lambda: api.upload({"b.py": module("second", 2)}))
    assert (reply.status_code, seconds < PROMPT) == (202, True)
    redis_server.start()
    wait_until(lambda: api.run_state(reply.json()["run_id"]) == "succeeded", "what was taken in meanwhile is done")
    assert api.get("/health/ready").json()["status"] == "ready"


def test_without_qdrant_only_search_fails(serve: Callable[..., Served]) -> None:
    api = serve(QDRANT_URL=f"http://127.0.0.1:{free_port()}")
    run_id = api.upload({"a.py": "a = 1\n"}).json()["run_id"]
    reply = api.get("/api/v1/projects/shop/search", q="a")
    assert problem(reply) == (503, "ServiceUnavailable")
    assert "Qdrant" in reply.text
    assert api.run_state(run_id) == "running"
    assert api.get("/health/ready").json()["services"]["qdrant"] == "down"


def test_a_qdrant_that_never_answers_holds_only_searches(serve: Callable[..., Served]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = serve(QDRANT_URL=f"http://127.0.0.1:{silent.getsockname()[1]}")
        api.upload({"a.py": "a = 1\n"})
        replies: list[httpx.Response] = []
        searches = [
            threading.Thread(
                target=lambda: replies.append(
                    httpx.get(
                        f"{api.client.base_url}/api/v1/projects/shop/search",
                        params={"q": "a"},
                        headers=bearer(api.key),
                        timeout=60,
                    )
                )
            )
            for _ in range(8)
        ]
        for search in searches:
            search.start()
        for path in ("/health/live", "/api/v1/runs", "/health/ready"):
            reply, seconds = took(lambda path=path: api.get(path))
            assert (reply.status_code, seconds < PROMPT) == (200, True), (path, seconds)
        for search in searches:
            search.join()
        assert {problem(reply)[0] for reply in replies} <= {503, 504}
        api.member.kill()


def test_health_answers_while_an_upload_is_planned(serve: Callable[..., Served], environment: dict[str, str]) -> None:
    api = serve()
    assert api.upload({"a.py": "a = 1\n"}).status_code == 202
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute("LOCK TABLE documents IN EXCLUSIVE MODE")
        replies: list[httpx.Response] = []
        parts = [("files", ("b.py", b"b = 1\n"))]
        url = f"{api.client.base_url}/api/v1/projects/shop/documents"
        upload = threading.Thread(
            target=lambda: replies.append(httpx.post(url, files=parts, headers=bearer(api.key), timeout=60))
        )
        upload.start()
        wait_until(lambda: waiting_for_locks(environment["DATABASE_URL"]) > 0, "the upload's plan waits")
        assert api.get("/health/live").status_code == 200
        assert api.get("/api/v1/runs").json()["items"][0]["state"] == "planning"
        assert replies == []
        connection.rollback()
        upload.join()
    assert [reply.status_code for reply in replies] == [202]


def waiting_for_locks(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
        return int(row[0]) if row else 0


def test_a_client_that_goes_away_half_way_leaves_nothing(
    serve: Callable[..., Served], environment: dict[str, str], tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    api = serve(TMPDIR=str(spool))
    head = (
        "POST /api/v1/projects/shop/documents HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.key}\r\nContent-Length: 9000000\r\n"
        "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
        '--edge\r\nContent-Disposition: form-data; name="files"; filename="a.py"\r\n\r\n'
    )
    place = (api.client.base_url.host, api.client.base_url.port or 0)
    with socket.create_connection(place) as connection:
        connection.sendall(head.encode() + b"x = 1\n" * 500_000)
    wait_until(lambda: any(line["status"] == 499 for line in api.member.records("request_served")), "it is noticed")
    assert list(spool.iterdir()) == []
    with psycopg.connect(environment["DATABASE_URL"]) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM documents").fetchone() == (0,)
    assert api.get("/health/live").status_code == 200


def test_a_body_that_is_too_large_is_told_so_even_while_it_is_sent(serve: Callable[..., Served]) -> None:
    api = serve(MOBIUS_API_UPLOAD_BYTES="1000000")
    assert problem(api.upload({"large.txt": "x" * 1_500_000})) == (413, "UploadTooLarge")
    assert api.upload({"small.txt": "x" * 500_000}).status_code == 202


def test_what_is_in_flight_is_answered_before_the_process_ends(
    serve: Callable[..., Served], environment: dict[str, str]
) -> None:
    api = serve()
    api.upload({"a.py": "a = 1\n"})
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        connection.execute("LOCK TABLE documents IN EXCLUSIVE MODE")
        replies: list[httpx.Response] = []
        upload = threading.Thread(target=lambda: replies.append(api.upload({"b.py": "b = 1\n"})))
        upload.start()
        wait_until(lambda: waiting_for_locks(environment["DATABASE_URL"]) > 0, "the upload's plan waits")
        api.member.send(signal.SIGTERM)
        time.sleep(0.3)
        connection.rollback()
        upload.join()
    assert [reply.status_code for reply in replies] == [202]
    wait_until(lambda: not api.member.is_alive, "it ends")
    assert "Traceback" not in api.member.log.read_text()


def test_keys_are_managed_on_the_command_line(fleet: Fleet) -> None:
    plain = fleet.mobius("keys", "create", "--tenant", "acme", "--name", "ci")
    secret = plain.stdout.strip()
    assert secret.startswith("mob_")
    assert secret not in plain.stderr
    assert "tenant acme is new" in plain.stderr
    (line,) = json.loads(fleet.mobius("keys", "list", "--tenant", "acme", "--json").stdout)
    assert (line["name"], line["tenant"], line["revoked_at"]) == ("ci", "acme", None)
    assert secret not in fleet.mobius("keys", "list").stdout
    assert "is revoked since" in fleet.mobius("keys", "revoke", line["id"]).stderr
    assert "revoked" in fleet.mobius("keys", "list").stdout
    unknown = fleet.mobius("keys", "revoke", "0b6f3a52-1c1e-4a57-9a44-0d6a1a1b9a10", check=False)
    assert (unknown.returncode, "mobius keys list" in unknown.stderr) == (2, True)


def test_a_port_that_is_taken_is_named_with_what_to_do(fleet: Fleet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = fleet.mobius("api", "--port", port, check=False)
    assert (done.returncode, port in done.stderr, "--port" in done.stderr) == (2, True, True)
    assert "Traceback" not in done.stderr
