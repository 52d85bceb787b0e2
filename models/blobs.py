"""Read the bytes of revisions back; they are stored compressed, once for all documents that have them."""

from __future__ import annotations

import zlib
from collections.abc import Collection

from sqlalchemy import Connection, text

_BLOBS = text("SELECT sha256, data FROM blobs WHERE sha256 = ANY(CAST(:shas AS bytea[]))")


def read_blobs(connection: Connection, revisions: Collection[bytes]) -> dict[bytes, bytes]:
    """Return the bytes of these revisions; absent ones are absent."""
    rows = connection.execute(_BLOBS, {"shas": list(revisions)})
    return {row.sha256: zlib.decompress(row.data) for row in rows}
