"""Chunk sets as bytes for a database row, and back.

Ids are not stored: they follow from the document and the hashes. The count is stored, so that a damaged payload can
never pass for a smaller set, and an empty set is not the same as none.

A worker reads the sets of its own version only. A version is that of the payload and that of the header, for the
embedding inputs of the chunks are made again from the text, and must be what their hashes were made of.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipeline.errors import MalformedDocument
from pipeline.facts import chunk_facts_of, facts_row
from pipeline.header import HEADER_VERSION
from pipeline.identity import chunk_id
from pipeline.types import Chunk, ChunkSet, DocumentRef
from pipeline.versions import MadeByNewer, MadeByOlder

#: Grows with every change to the payload's form.
PAYLOAD_VERSION = 2

_DIGEST_BYTES = 32
#: The version of the header in payloads that do not tell.
_FIRST_HEADER = 1

#: Where the scope of a chunk stands in the table of distinct scopes.
_ScopeTable = dict[tuple[tuple[str, ...], tuple[str, ...]], int]


def pack_chunks(chunk_set: ChunkSet) -> bytes:
    """Return the chunks, without their document, as compressed JSON."""
    chunks = chunk_set.chunks
    scopes: _ScopeTable = {}
    columns = {
        "version": PAYLOAD_VERSION,
        "header": HEADER_VERSION,
        "versions": chunk_set.versions,
        "count": len(chunks),
        "ends": [chunk.end for chunk in chunks],
        "lines": [[chunk.start_line, chunk.end_line] for chunk in chunks],
        "parents": [_parent_of(chunk) for chunk in chunks],
        "kinds": [chunk.kind for chunk in chunks],
        "names": [chunk.name for chunk in chunks],
        "scope": [scopes.setdefault((chunk.scope, chunk.scope_signatures), len(scopes)) for chunk in chunks],
        "scopes": list(scopes),
        "defines": [chunk.defines for chunk in chunks],
        "facts": [None if chunk.facts is None else facts_row(chunk.facts) for chunk in chunks],
        "languages": {str(chunk.ordinal): chunk.language for chunk in chunks if chunk.language},
        "imports": chunk_set.imports,
        "hashes": b64encode(b"".join(chunk.text_hash + chunk.embed_hash for chunk in chunks)).decode(),
    }
    return zlib.compress(json.dumps(columns, separators=(",", ":")).encode())


def _parent_of(chunk: Chunk) -> list[int] | None:
    """Return the parent's span, None where it is the chunk's own."""
    span = (chunk.parent_start, chunk.parent_end)
    return None if span == (chunk.start, chunk.end) else list(span)


def unpack_chunks(document: DocumentRef, payload: bytes) -> ChunkSet:
    """Return the chunks of ``document`` that were packed.

    Raises:
        MalformedDocument: The payload is damaged; chunk the document again.
        MadeByOlder: It is of an older version.
        MadeByNewer: It is of a newer version.
    """
    try:
        columns = json.loads(zlib.decompress(payload))
        _require_ours(columns["version"], columns.get("header", _FIRST_HEADER))
        chunks, imports = tuple(_chunks(document, columns)), tuple(columns["imports"])
        return ChunkSet(document, chunks, imports, str(columns.get("versions", "")))
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as exc:
        raise MalformedDocument("The stored chunks are damaged; chunk the document again.") from exc


def _require_ours(payload: int, header: int) -> None:
    if payload > PAYLOAD_VERSION or header > HEADER_VERSION:
        raise MadeByNewer
    if payload < PAYLOAD_VERSION or header < HEADER_VERSION:
        raise MadeByOlder


def _chunks(document: DocumentRef, columns: dict[str, Any]) -> Iterator[Chunk]:
    """Yield the chunks; every column must have as many rows as the count says."""
    occurrences: Counter[bytes] = Counter()
    start = 0
    # Sets from before have none.
    languages: dict[str, str] = columns.get("languages", {})
    rows = zip(
        range(columns["count"]),
        columns["ends"],
        columns["lines"],
        columns["parents"],
        columns["kinds"],
        columns["names"],
        columns["scope"],
        columns["defines"],
        columns["facts"],
        _digests(columns["hashes"]),
        strict=True,
    )
    for ordinal, end, (start_line, end_line), parent, kind, name, scope, defines, facts, (
        text_hash,
        embed_hash,
    ) in rows:
        names, signatures = columns["scopes"][scope]
        parent_start, parent_end = parent or (start, end)
        yield Chunk(
            id=chunk_id(document.id, text_hash, occurrences[text_hash]),
            ordinal=ordinal,
            start=start,
            end=end,
            start_line=start_line,
            end_line=end_line,
            kind=kind,
            name=name,
            scope=tuple(names),
            scope_signatures=tuple(signatures),
            defines=tuple(defines),
            text_hash=text_hash,
            embed_hash=embed_hash,
            parent_start=parent_start,
            parent_end=parent_end,
            facts=None if facts is None else chunk_facts_of(facts),
            language=languages.get(str(ordinal), ""),
        )
        occurrences[text_hash] += 1
        start = end


def _digests(encoded: str) -> Iterator[tuple[bytes, bytes]]:
    """Yield the pairs of text hash and embed hash."""
    data = b64decode(encoded, validate=True)
    if len(data) % (2 * _DIGEST_BYTES):
        raise ValueError("half a hash")
    for at in range(0, len(data), 2 * _DIGEST_BYTES):
        yield data[at : at + _DIGEST_BYTES], data[at + _DIGEST_BYTES : at + 2 * _DIGEST_BYTES]
