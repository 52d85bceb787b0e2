"""The API in this process: the real application and ledger, with the shipped fakes for index and embedder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from harness.bench import Bench
from starlette.testclient import TestClient

from models.keys import Keys
from pipeline.ports import Index
from worker.api.app import build_app
from worker.api.services import ApiServices
from worker.settings import load_settings


@dataclass(frozen=True)
class ApiDesk:
    """A client with a key of one tenant, and the database behind it."""

    bench: Bench
    client: TestClient
    services: ApiServices
    key: str

    def get(self, path: str, key: str | None = None, **params: Any) -> httpx.Response:
        """Ask with the desk's key, or another."""
        return self.client.get(path, params=params, headers=bearer(key or self.key))

    def body(self, path: str, **params: Any) -> Any:
        """Return what an endpoint answers; it must succeed."""
        reply = self.get(path, **params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def upload(
        self, files: Mapping[str, str | bytes], project: str = "project", key: str | None = None, **fields: Any
    ) -> httpx.Response:
        """Upload files by their paths."""
        parts = [("files", (path, content)) for path, content in files.items()]
        return self.client.post(
            f"/api/v1/projects/{project}/documents", files=parts, data=fields, headers=bearer(key or self.key)
        )


def bearer(key: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


def problem(reply: httpx.Response) -> tuple[int, str]:
    """Return a failed reply's status and code; it must have the one form of errors."""
    body = reply.json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message", "request_id"}
    assert all(body["error"].values())
    assert body["error"]["request_id"] == reply.headers["X-Request-ID"]
    return reply.status_code, body["error"]["code"]


@contextmanager
def api_desk(bench: Bench, database_url: str, index: Index | None = None, **environment: str) -> Iterator[ApiDesk]:
    """Serve the bench's database to a key of its tenant; ``environment`` adds settings."""
    settings = load_settings({"DATABASE_URL": database_url, **environment})
    services = ApiServices(settings, make_embedder=lambda _: bench.embedder, make_index=lambda _: index or bench.index)
    with TestClient(build_app(services)) as client:
        yield ApiDesk(bench, client, services, Keys(bench.engine).create("tenant", "test").secret)
