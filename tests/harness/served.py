"""The API in a process of its own, and a client that has a key to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from harness.fleet import Member


@dataclass
class Served:
    """An API process and a client with a key."""

    member: Member
    client: httpx.Client
    key: str

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.client.get(path, params=params)

    def upload(self, files: dict[str, str], project: str = "shop") -> httpx.Response:
        parts = [("files", (path, content.encode())) for path, content in files.items()]
        return self.client.post(f"/api/v1/projects/{project}/documents", files=parts)

    def run_state(self, run_id: str) -> str:
        return str(self.get(f"/api/v1/runs/{run_id}").json()["state"])

    def last_task(self, slice_id: str) -> str:
        """Return the id of the task that finished a slice."""
        ledger = self.get(f"/api/v1/tasks/{slice_id}:parse:1").json()["ledger"]
        return f"{slice_id}:{ledger['stage']}:{ledger['seq']}"
