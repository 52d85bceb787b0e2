"""Read Postgres and Qdrant directly and hold them against the files, without the product's own read side."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row


@dataclass(frozen=True)
class Inspection:
    """What the two stores say."""

    database_url: str
    qdrant_url: str
    qdrant_api_key: str

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """Return a query's rows."""
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(sql, values).fetchall()

    def points(self) -> dict[str, dict[str, Any]]:
        """Return the payload of every point of this database's projects, by point id."""
        projects = {str(row["id"]) for row in self.rows("SELECT id FROM projects")}
        headers = {"api-key": self.qdrant_api_key}
        found: dict[str, dict[str, Any]] = {}
        with httpx.Client(base_url=self.qdrant_url, headers=headers) as client:
            for item in client.get("/collections").json()["result"]["collections"]:
                offset = None
                while True:
                    body = {"limit": 1000, "with_payload": True, "offset": offset}
                    page = client.post(f"/collections/{item['name']}/points/scroll", json=body).json()["result"]
                    found |= {
                        point["id"]: point["payload"]
                        for point in page["points"]
                        if point["payload"].get("project") in projects
                    }
                    offset = page["next_page_offset"]
                    if offset is None:
                        break
        return found

    def texts(self) -> dict[str, bytes]:
        """Return each live document's text, put together from its chunks and the blob they were cut from."""
        texts: dict[str, bytes] = {}
        for document in self.rows("SELECT id, path, committed_revision FROM documents WHERE deleted_at IS NULL"):
            blob = self.rows("SELECT data FROM blobs WHERE sha256 = %s", document["committed_revision"])
            data = zlib.decompress(blob[0]["data"]) if blob else b""
            chunks = self.rows(
                "SELECT start_byte, end_byte FROM chunks WHERE document_id = %s AND retired_at IS NULL"
                " ORDER BY ordinal",
                document["id"],
            )
            end = 0
            for chunk in chunks:
                assert chunk["start_byte"] == end, f"{document['path']}: a gap or an overlap at byte {end}"
                end = chunk["end_byte"]
            assert end == len(data), f"{document['path']}: chunks end at byte {end} of {len(data)}"
            texts[document["path"]] = data
        return texts

    def assert_true_to(self, tree: Path) -> None:
        """Check that ledger and index hold exactly the files of a tree, and that nothing is left in flight."""
        files = {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
        assert self.texts() == files
        live = self.rows(
            "SELECT c.id, c.generation, d.path, c.start_line, c.end_line, c.text_hash FROM chunks c"
            " JOIN documents d ON d.id = c.document_id"
        )
        expected = {
            str(row["id"]): (
                row["generation"],
                row["path"],
                row["start_line"],
                row["end_line"],
                row["text_hash"].hex(),
            )
            for row in live
        }
        stored = {
            point: tuple(payload[field] for field in ("generation", "path", "start_line", "end_line", "text_hash"))
            for point, payload in self.points().items()
        }
        assert stored == expected
        states = {row["state"] for row in self.rows("SELECT DISTINCT state FROM documents")}
        assert states <= {"indexed", "deleted"}
        assert self.rows("SELECT id FROM slices WHERE state IN ('ready', 'dispatched', 'running')") == []
        assert self.rows("SELECT 1 FROM run_documents WHERE outcome IN ('pending', 'failed')") == []
        assert self.rows("SELECT 1 FROM chunks WHERE retired_at IS NOT NULL") == []
        assert self.rows("SELECT 1 FROM embeddings WHERE vector IS NULL") == []
        assert self.rows("SELECT 1 FROM chunk_sets") == []
