"""A chunk set comes back exactly, or not at all."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from pipeline import chunk_atoms
from pipeline.chunk import ChunkBudget, chunk
from pipeline.chunk_codec import PAYLOAD_VERSION, pack_chunks, unpack_chunks
from pipeline.errors import MalformedDocument
from pipeline.header import HEADER_VERSION
from pipeline.parse.parser import parse
from pipeline.types import ChunkSet, DocumentRef
from pipeline.versions import MadeByNewer, MadeByOlder

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
        {"version": None},
        {"header": "1"},
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


def test_the_versions_of_whoever_made_them_come_back() -> None:
    chunks = replace(chunked(b"x = 1\n"), versions="chunker-7 sparse-2")
    assert unpack_chunks(DOCUMENT, pack_chunks(chunks)).versions == "chunker-7 sparse-2"


@pytest.mark.parametrize("changes", [{"version": PAYLOAD_VERSION + 1}, {"header": HEADER_VERSION + 1}])
def test_what_a_newer_version_made_is_left_to_it(changes: dict[str, object]) -> None:
    payload = repacked(pack_chunks(chunked(b"x = 1\n")), **changes)
    with pytest.raises(MadeByNewer, match="newer version"):
        unpack_chunks(DOCUMENT, payload)


@pytest.mark.parametrize("changes", [{"version": PAYLOAD_VERSION - 1}, {"header": HEADER_VERSION - 1}])
def test_what_an_older_version_made_is_not_taken_for_ours(changes: dict[str, object]) -> None:
    payload = repacked(pack_chunks(chunked(b"x = 1\n")), **changes)
    with pytest.raises(MadeByOlder, match="made again"):
        unpack_chunks(DOCUMENT, payload)


def test_a_payload_that_tells_no_header_is_of_the_first_one() -> None:
    columns = json.loads(zlib.decompress(pack_chunks(chunked(b"x = 1\n"))))
    del columns["header"], columns["versions"]
    assert unpack_chunks(DOCUMENT, zlib.compress(json.dumps(columns).encode())) == chunked(b"x = 1\n")


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
