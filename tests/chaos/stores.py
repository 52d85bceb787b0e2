"""Read Postgres by plain SQL and Qdrant by plain HTTP into facts; points by id and payload, whatever their vectors."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
from chaos.facts import Chunk, Document, Stores
from psycopg.rows import dict_row

_DOCUMENTS = (
    "SELECT d.*, b.data FROM documents d LEFT JOIN blobs b ON b.sha256 = d.committed_revision"
    " WHERE %s::uuid IS NULL OR d.id = %s::uuid"
)
_CHUNKS = "SELECT c.* FROM chunks c WHERE %s::uuid IS NULL OR c.document_id = %s::uuid"
_OUTCOMES = "SELECT document_id, outcome, generation FROM run_documents"
_SLICES = (
    "SELECT 'slice ' || id || ' is ' || state || ' in ' || stage || ', ' || attempts || ' attempts, ' || error AS line"
    " FROM slices WHERE state IN ('ready', 'dispatched', 'running')"
)
_PENDING = (
    "SELECT d.path || ' is pending in run ' || rd.run_id AS line FROM run_documents rd"
    " JOIN documents d ON d.id = rd.document_id WHERE rd.outcome = 'pending'"
)
_PLANS = "SELECT 'run ' || id || ' is being planned' AS line FROM runs WHERE plan_state = 'planning'"
_FAILED = (
    "SELECT d.path || ' failed in run ' || rd.run_id || ': ' || rd.error || ', ' || rd.message AS line"
    " FROM run_documents rd JOIN documents d ON d.id = rd.document_id WHERE rd.outcome = 'failed'"
)
_DEAD = (
    "SELECT 'dead letter ' || id || ' of ' || document_id || ' in ' || stage || ': ' || error AS line FROM dead_letters"
)
_PAGE = 500


@dataclass(frozen=True)
class Reader:
    """The two stores' addresses; every call opens its own connection, for it may come in the middle of a fault."""

    database_url: str
    qdrant_url: str
    qdrant_api_key: str

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Return a query's rows."""
        with psycopg.connect(self.database_url, row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(sql, values).fetchall()

    def lines(self, *statements: str) -> list[str]:
        """Return what these queries say, one line a row."""
        return [row["line"] for row in self.rows(" UNION ALL ".join(statements))]

    def open_work(self) -> list[str]:
        """Say what is not finished."""
        return self.lines(_SLICES, _PENDING, _PLANS)

    def at_rest(self) -> Stores:
        """Return everything."""
        return Stores(
            documents=self.documents(),
            chunks=self.chunks(),
            points=self.points(),
            outcomes=[(str(row["document_id"]), row["outcome"], row["generation"]) for row in self.rows(_OUTCOMES)],
            open_work=self.open_work(),
            given_up=self.lines(_FAILED, _DEAD),
        )

    def documents(self, only: str | None = None) -> list[Document]:
        """Return all documents, or one."""
        return [_document(row) for row in self.rows(_DOCUMENTS, only, only)]

    def chunks(self, only: str | None = None) -> list[Chunk]:
        """Return all chunks, or those of one document."""
        return [_chunk(row) for row in self.rows(_CHUNKS, only, only)]

    def points(self) -> dict[str, dict[str, Any]]:
        """Return the payload of every point, by its id."""
        with self._qdrant() as client:
            return {point["id"]: point["payload"] for name in _collections(client) for point in _scrolled(client, name)}

    def points_among(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the payload of those of these points that are there."""
        found: dict[str, dict[str, Any]] = {}
        with self._qdrant() as client:
            for name in _collections(client):
                body = {"ids": list(ids), "with_payload": True}
                reply = client.post(f"/collections/{name}/points", json=body).raise_for_status()
                found |= {point["id"]: point["payload"] for point in reply.json()["result"]}
        return found

    @contextmanager
    def _qdrant(self) -> Iterator[httpx.Client]:
        headers = {"api-key": self.qdrant_api_key}
        with httpx.Client(base_url=self.qdrant_url, headers=headers, timeout=60) as client:
            yield client


def _collections(client: httpx.Client) -> list[str]:
    reply = client.get("/collections").raise_for_status()
    return [item["name"] for item in reply.json()["result"]["collections"]]


def _scrolled(client: httpx.Client, collection: str) -> Iterator[dict[str, Any]]:
    offset: str | None = None
    while True:
        body = {"limit": _PAGE, "with_payload": True, "offset": offset}
        reply = client.post(f"/collections/{collection}/points/scroll", json=body).raise_for_status()
        page = reply.json()["result"]
        yield from page["points"]
        if (offset := page["next_page_offset"]) is None:
            return


def _document(row: dict[str, Any]) -> Document:
    return Document(
        id=str(row["id"]),
        path=row["path"],
        state=row["state"],
        generation=row["generation"],
        committed=row["committed_generation"],
        indexed=row["indexed_generation"],
        revision=_bytes(row["revision"]),
        committed_revision=_bytes(row["committed_revision"]),
        text=zlib.decompress(row["data"]) if row["data"] is not None else None,
        is_deleted=row["deleted_at"] is not None,
    )


def _chunk(row: dict[str, Any]) -> Chunk:
    return Chunk(
        id=str(row["id"]),
        document=str(row["document_id"]),
        generation=row["generation"],
        start=row["start_byte"],
        end=row["end_byte"],
        start_line=row["start_line"],
        end_line=row["end_line"],
        text_hash=row["text_hash"].hex(),
        is_retired=row["retired_at"] is not None,
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
