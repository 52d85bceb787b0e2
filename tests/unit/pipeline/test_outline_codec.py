"""An outline comes back exactly, or not at all."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from pipeline import chunk_atoms
from pipeline.errors import MalformedDocument
from pipeline.outline_codec import pack_outline, unpack_outline
from pipeline.parse.parser import OUTLINE_VERSION, parse
from pipeline.types import Outline, OutlineNode

SOURCE = Path(chunk_atoms.__file__).read_bytes()


def repacked(payload: bytes, **changes: object) -> bytes:
    return zlib.compress(json.dumps(json.loads(zlib.decompress(payload)) | changes).encode())


def test_an_outline_comes_back_as_it_was() -> None:
    outline = parse(SOURCE, "python")
    assert len(outline.nodes) > 50
    assert unpack_outline(pack_outline(outline)) == outline


def test_names_of_any_script_come_back() -> None:
    node = OutlineNode(0, 9, 0, "function", "größe", "def größe(日本='👩')")
    outline = Outline(OUTLINE_VERSION, "python", "utf-16-le", 10, True, (node, OutlineNode(9, 10, 0, "block")))
    assert unpack_outline(pack_outline(outline)) == outline


def test_an_empty_outline_comes_back() -> None:
    outline = parse(b"", "text")
    assert unpack_outline(pack_outline(outline)) == outline


def test_a_packed_outline_is_much_smaller_than_its_source() -> None:
    assert len(pack_outline(parse(SOURCE, "python"))) < len(SOURCE) / 3


def test_another_version_is_refused() -> None:
    payload = repacked(pack_outline(parse(SOURCE, "python")), version=OUTLINE_VERSION + 1)
    with pytest.raises(MalformedDocument, match="version"):
        unpack_outline(payload)


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 1},
        {"starts": []},
        {"kind": [99] * 1_000},
        {"named": {"x": ["a", "b"]}},
        {"named": {"0": ["a"]}},
        {"length": None},
        {"sizes": "text"},
    ],
)
def test_a_damaged_column_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedDocument, match="parse the document again"):
        unpack_outline(repacked(pack_outline(parse(SOURCE, "python")), **changes))


@pytest.mark.parametrize("payload", [b"", b"junk", zlib.compress(b"{}"), zlib.compress(b"[]"), zlib.compress(b"\xff")])
def test_a_damaged_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(MalformedDocument):
        unpack_outline(payload)


def test_a_truncated_payload_is_refused() -> None:
    with pytest.raises(MalformedDocument):
        unpack_outline(pack_outline(parse(SOURCE, "python"))[:-20])
