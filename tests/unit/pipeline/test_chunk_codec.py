"""A chunk set comes back exactly, or not at all."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import chunk_atoms
from pipeline.chunk import ChunkBudget, chunk
from pipeline.chunk_codec import PAYLOAD_VERSION, pack_chunks, unpack_chunks
from pipeline.errors import MalformedDocument
from pipeline.parse.parser import parse
from pipeline.types import ChunkSet, DocumentRef

DOCUMENT = DocumentRef(UUID(int=7), "a/b.py", "python", 3, b"r")


def chunked(text: bytes) -> ChunkSet:
    return chunk(DOCUMENT, text, parse(text, "python"), ChunkBudget(200, 200))


def repacked(payload: bytes, **changes: object) -> bytes:
    return zlib.compress(json.dumps(json.loads(zlib.decompress(payload)) | changes).encode())


def test_a_chunk_set_comes_back_as_it_was() -> None:
    chunks = chunked(Path(chunk_atoms.__file__).read_bytes())
    assert len(chunks.chunks) > 20
    assert unpack_chunks(DOCUMENT, pack_chunks(chunks)) == chunks


def test_equal_texts_get_their_own_ids_back() -> None:
    chunks = chunked(b"# " + b"x" * 170 + b"\n" + (b"\n\ny = [" + b"1, " * 60 + b"]\n") * 3)
    assert len({c.text_hash for c in chunks.chunks}) < len({c.id for c in chunks.chunks}) == len(chunks.chunks)
    assert unpack_chunks(DOCUMENT, pack_chunks(chunks)) == chunks


def test_an_empty_set_is_a_set() -> None:
    chunks = chunked(b"")
    assert chunks.chunks == ()
    assert unpack_chunks(DOCUMENT, pack_chunks(chunks)) == chunks


@pytest.mark.parametrize(
    "changes",
    [
        {"version": PAYLOAD_VERSION + 1},
        {"count": 0},
        {"count": 2},
        {"hashes": "AAAA"},
        {"hashes": "not base64"},
        {"scope": [5]},
        {"lines": [1]},
        {"ends": None},
        {"facts": [7]},
        {"facts": [{"unknown": 1}]},
        {"facts": []},
        {"imports": None},
        {"parents": [[1]]},
    ],
)
def test_a_damaged_column_is_refused(changes: dict[str, object]) -> None:
    payload = pack_chunks(chunked(b"x = 1\n"))
    with pytest.raises(MalformedDocument, match="chunk the document again"):
        unpack_chunks(DOCUMENT, repacked(payload, **changes))


@pytest.mark.parametrize("payload", [b"", b"junk", zlib.compress(b"{}"), zlib.compress(b"7")])
def test_a_damaged_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedDocument):
        unpack_chunks(DOCUMENT, payload)


def test_the_language_of_embedded_code_comes_back_and_is_absent_in_older_sets() -> None:
    text = b"# Title\n\n```python\n" + b"def f(a):\n    return a\n\n" * 40 + b"```\n"
    made = chunk(DOCUMENT, text, parse(text, "markdown"), ChunkBudget(200, 200))
    assert "python" in {each.language for each in made.chunks}
    assert unpack_chunks(DOCUMENT, pack_chunks(made)) == made
    columns = json.loads(zlib.decompress(pack_chunks(made)))
    del columns["languages"]
    older = unpack_chunks(DOCUMENT, zlib.compress(json.dumps(columns).encode()))
    assert {each.language for each in older.chunks} == {""}
