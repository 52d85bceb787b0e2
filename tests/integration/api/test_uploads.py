"""An upload is committed as a whole or refused as a whole, deletes nothing, and repeats without harm."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from harness.api import ApiDesk, api_desk, bearer, problem
from harness.bench import Bench
from harness.revisions import functions

from worker.api.services import UPLOADS

BOUNDARY = "edge"


def stored(desk: ApiDesk, source: str = "upload") -> dict[str, str]:
    """Return each document of a source and its state."""
    rows = desk.bench.rows(
        "SELECT path, d.state FROM documents d JOIN sources s ON s.id = d.source_id WHERE s.name = :source",
        source=source,
    )
    return {row["path"]: row["state"] for row in rows}


def nothing_was_taken(desk: ApiDesk) -> bool:
    return not desk.bench.table("runs") and not desk.bench.table("documents") and not desk.bench.table("blobs")


def raw(desk: ApiDesk, body: bytes, content_type: str = f"multipart/form-data; boundary={BOUNDARY}"):
    headers = {**bearer(desk.key), "Content-Type": content_type}
    return desk.client.post("/api/v1/projects/project/documents", content=body, headers=headers)


def part(disposition: bytes, content: bytes = b"x = 1\n") -> bytes:
    head = b"--edge\r\nContent-Disposition: form-data; " + disposition
    return head + b"\r\nContent-Type: text/plain\r\n\r\n" + content + b"\r\n"


def test_an_upload_is_committed_before_the_answer_and_indexed_later(desk: ApiDesk) -> None:
    reply = desk.upload({"src/a.py": functions("one"), "b.md": "# b\n"}, project="new project")
    assert reply.status_code == 202
    body = reply.json()
    assert (body["project"], body["source"], body["accepted"], body["unchanged"]) == ("new project", "upload", 2, 0)
    assert reply.headers["Location"] == f"/api/v1/runs/{body['run_id']}"
    assert stored(desk) == {"src/a.py": "pending", "b.md": "pending"}
    assert desk.body(reply.headers["Location"])["state"] == "running"
    desk.bench.finish()
    report = desk.body(reply.headers["Location"])
    assert (report["state"], report["documents"]["indexed"]) == ("succeeded", 2)


def test_the_same_upload_again_waits_for_the_first_and_then_changes_nothing(desk: ApiDesk) -> None:
    files = {"a.py": functions("one")}
    first = desk.upload(files).json()
    second = desk.upload(files).json()
    assert (second["accepted"], len(desk.bench.table("slices"))) == (1, 1)
    desk.bench.finish()
    assert [desk.body(f"/api/v1/runs/{each['run_id']}")["state"] for each in (first, second)] == ["succeeded"] * 2
    desk.bench.rows("UPDATE documents SET versions = :versions", versions=current_versions(desk))
    third = desk.upload(files).json()
    assert (third["accepted"], third["unchanged"]) == (0, 1)
    assert desk.body(f"/api/v1/runs/{third['run_id']}")["state"] == "succeeded"


def current_versions(desk: ApiDesk) -> str:
    from worker.chunking import versions  # noqa: PLC0415  the bench's workers are not the API's

    return versions(desk.services.settings)


def test_what_was_not_sent_stays(desk: ApiDesk) -> None:
    desk.upload({"a.py": "a = 1\n", "b.py": "b = 1\n"})
    desk.bench.finish()
    body = desk.upload({"b.py": "b = 2\n"}).json()
    desk.bench.finish()
    assert desk.body(f"/api/v1/runs/{body['run_id']}")["state"] == "succeeded"
    assert stored(desk) == {"a.py": "indexed", "b.py": "indexed"}


def test_files_that_are_not_admitted_are_named_with_their_reason(bench: Bench, database_url: str) -> None:
    with api_desk(bench, database_url, MOBIUS_MAX_FILE_BYTES="100") as desk:
        files = {
            ".env": "KEY=1",
            "a.png": b"x",
            "data.txt": b"a\0b",
            "id": "-----BEGIN PRIVATE KEY-----\n",
            ".git/config": "x",
            "large.txt": "x" * 101,
            "fine.txt": "x" * 100,
        }
        body = desk.upload(files).json()
        assert body["accepted"] == 1
        assert {skip["path"]: skip["reason"] for skip in body["skipped"]} == {
            ".env": "secret",
            "a.png": "binary",
            "data.txt": "binary",
            "id": "secret",
            ".git/config": "excluded_directory",
            "large.txt": "too_large",
        }
        assert all(skip["message"] for skip in body["skipped"])
        assert stored(desk) == {"fine.txt": "pending"}
        assert b"PRIVATE" not in b"".join(row["data"] for row in bench.table("blobs"))


def test_paths_may_be_given_beside_the_files(desk: ApiDesk) -> None:
    parts = [("files", ("x", b"one\n")), ("files", ("x", b"two\n"))]
    fields = {"paths": ["docs/ö.txt", "docs/two.txt"], "source": "hand", "priority": "high"}
    url = "/api/v1/projects/project/documents"
    reply = desk.client.post(url, files=parts, data=fields, headers=bearer(desk.key))
    assert reply.status_code == 202, reply.text
    assert stored(desk, "hand") == {"docs/ö.txt": "pending", "docs/two.txt": "pending"}
    assert {row["priority"] for row in desk.bench.table("runs")} == {0}
    fields["paths"] = ["only one"]
    reply = desk.client.post(url, files=parts, data=fields, headers=bearer(desk.key))
    assert problem(reply) == (422, "InvalidRequest")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../up", "a/../b", "a//b", "a/", "./a", "a\x01b", "a\x7f", "x" * 1_025, "ü" * 513, "\u2028"]
)
def test_a_bad_path_refuses_the_whole_upload(desk: ApiDesk, path: str) -> None:
    parts = [("files", ("x", b"one\n")), ("files", ("y", b"two\n"))]
    url = "/api/v1/projects/project/documents"
    fields = {"paths": ["fine.txt", path]}
    assert problem(desk.client.post(url, files=parts, data=fields, headers=bearer(desk.key))) == (422, "BadPaths")
    assert nothing_was_taken(desk)


def test_a_name_that_is_not_utf8_is_refused_and_one_that_is_stays_as_it_is(desk: ApiDesk) -> None:
    assert problem(raw(desk, part(b'name="files"; filename="\xff.py"') + b"--edge--\r\n")) == (422, "BadPaths")
    assert nothing_was_taken(desk)
    name = "naïve \u65e5\u672c.py"
    assert raw(desk, part(f'name="files"; filename="{name}"'.encode()) + b"--edge--\r\n").status_code == 202
    assert stored(desk) == {name: "pending"}


def test_the_same_path_twice_is_refused(desk: ApiDesk) -> None:
    body = part(b'name="files"; filename="a"') * 2 + b"--edge--\r\n"
    assert problem(raw(desk, body)) == (422, "BadPaths")
    assert nothing_was_taken(desk)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedBody"),
        (b"nonsense", "MalformedBody"),
        (part(b'name="files"; filename="a.py"'), "MalformedBody"),  # no closing boundary
        (part(b'name="files"; filename="a.py"')[:-9], "MalformedBody"),
        (part(b'filename="a.py"') + b"--edge--\r\n", "MalformedBody"),  # a field without a name
        (b"--edge--\r\n", "InvalidRequest"),
        (part(b'name="files"') + b"--edge--\r\n", "InvalidRequest"),  # a text where a file is meant
        (part(b'name="file"; filename="a.py"') + b"--edge--\r\n", "InvalidRequest"),
        (part(b'name="files"; filename=""') + b"--edge--\r\n", "BadPaths"),
        (part(b'name="files"; filename="a"') + part(b'name="priority"', b"urgent") + b"--edge--\r\n", "InvalidRequest"),
        (part(b'name="files"; filename="a"') + part(b'name="source"', b"a\0b") + b"--edge--\r\n", "InvalidRequest"),
        (part(b'name="files"; filename="a"') + part(b'name="source"', b"x") * 2 + b"--edge--\r\n", "InvalidRequest"),
        (part(b'name="files"; filename="a"') + part(b'name="source"', b"x" * 9_999) + b"--edge--\r\n", "MalformedBody"),
    ],
)
def test_a_body_that_is_not_whole_or_not_understood_is_refused_as_a_whole(
    desk: ApiDesk, body: bytes, code: str
) -> None:
    assert problem(raw(desk, body))[1] == code
    assert nothing_was_taken(desk)


def test_another_content_type_is_refused(desk: ApiDesk) -> None:
    assert problem(raw(desk, b"{}", "application/json")) == (415, "NotMultipart")
    assert problem(raw(desk, b"", "multipart/form-data")) == (400, "MalformedBody")


def test_limits_are_for_the_whole_body_and_the_number_of_files(bench: Bench, database_url: str) -> None:
    limits = {"MOBIUS_API_UPLOAD_BYTES": "2000", "MOBIUS_API_UPLOAD_FILES": "2"}
    with api_desk(bench, database_url, **limits) as desk:
        assert problem(desk.upload({"a": "x" * 2_000})) == (413, "UploadTooLarge")
        reply = desk.upload({"a": "x", "b": "x", "c": "x"})
        assert problem(reply) == (413, "UploadTooLarge")
        assert "2 files" in reply.text
        body = part(b'name="files"; filename="a"', b"x" * 2_000) + b"--edge--\r\n"
        headers = {**bearer(desk.key), "Content-Type": "multipart/form-data; boundary=edge"}
        url = "/api/v1/projects/project/documents"
        unannounced = desk.client.post(url, content=iter([body[:500], body[500:]]), headers=headers)
        assert problem(unannounced) == (413, "UploadTooLarge")
        assert nothing_was_taken(desk)
        assert desk.upload({"a": "x", "b": "x"}).status_code == 202


def test_an_upload_that_trickles_or_finds_no_turn_is_refused(
    bench: Bench, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless():
        yield part(b'name="files"; filename="a"')
        await asyncio.sleep(600)

    monkeypatch.setattr("worker.api.uploads.RECEIVE_SECONDS", 0.2)
    monkeypatch.setattr("worker.api.services.UPLOAD_PATIENCE", 0.2)
    with api_desk(bench, database_url) as desk:
        monkeypatch.setattr("starlette.requests.Request.stream", lambda _request: endless())
        assert problem(raw(desk, b"")) == (504, "TooSlow")
        monkeypatch.undo()
        monkeypatch.setattr("worker.api.services.UPLOAD_PATIENCE", 0.2)
        for _ in range(UPLOADS):
            desk.client.portal.call(desk.services._uploads.acquire)
        assert problem(desk.upload({"a": "x"})) == (503, "Overloaded")
        assert nothing_was_taken(desk)
        desk.services._uploads.release()
        assert desk.upload({"a": "x"}).status_code == 202
        assert desk.upload({"b": "x"}).status_code == 202  # the turn was given back


def test_an_upload_into_a_directorys_source_leaves_its_root_alone(desk: ApiDesk) -> None:
    desk.bench.ingest({"a.py": "a = 1\n", "b.py": "b = 1\n"})
    desk.bench.finish()
    assert desk.upload({"a.py": "a = 2\n"}, source="source").status_code == 202
    assert desk.bench.one("SELECT root FROM sources WHERE name = 'source'") == "/root"
    desk.bench.finish()
    assert stored(desk, "source") == {"a.py": "indexed", "b.py": "indexed"}


def test_an_upload_while_another_producer_plans_waits_and_then_says_so(
    desk: ApiDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.api.intake.PATIENCE", 0.2)
    desk.upload({"a.py": "a = 1\n"})
    source = desk.bench.sources.resolve("tenant", "project", "upload", "upload:")
    with desk.bench.plan(source):
        reply = desk.upload({"b.py": "b = 1\n"})
        assert problem(reply) == (409, "SourceBusy")
        assert reply.headers["Retry-After"]
    assert "b.py" not in stored(desk)
    assert desk.upload({"b.py": "b = 1\n"}).status_code == 202


def test_a_run_of_an_upload_is_the_callers_own(desk: ApiDesk) -> None:
    run = UUID(desk.upload({"a.py": "a = 1\n"}).json()["run_id"])
    owner = desk.bench.one(
        "SELECT t.name FROM runs r JOIN sources s ON s.id = r.source_id JOIN projects p ON p.id = s.project_id"
        " JOIN tenants t ON t.id = p.tenant_id WHERE r.id = :run",
        run=run,
    )
    assert owner == "tenant"
