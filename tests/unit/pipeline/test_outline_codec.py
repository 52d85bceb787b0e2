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

#: What the outline of a file with nothing in it takes, with room for one definition: no file is too small for that.
EMPTY_OUTLINE_BYTES = 400
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


def test_facts_come_back_as_they_were() -> None:
    source = (
        b"import os\n@cached\ndef f(a, *b) -> int:\n    'Do it.'\n    return g(a)\n" + b"x = f(1)\n" * 30 + b"y = = 1\n"
    )
    facts = parse(source, "python").facts
    assert facts is not None
    assert facts.definitions
    assert facts.errors
    assert len(facts.references) > 20
    assert unpack_outline(pack_outline(parse(source, "python"))).facts == facts


@pytest.mark.parametrize(
    "changes",
    [
        {"at": []},
        {"at": [10**9]},
        {"complexity": ["many"]},
        {"doc": [[1]]},
        {"parameters": 3},
        {"imports": [1]},
        {"references": None},
        {"errors": ["x"]},
    ],
)
def test_damaged_facts_are_refused(changes: dict[str, object]) -> None:
    payload = pack_outline(parse(b"import os\ndef f(a):\n    'Do it.'\n    return g(a)\n", "python"))
    facts = json.loads(zlib.decompress(payload))["facts"]
    with pytest.raises(MalformedDocument, match="parse the document again"):
        unpack_outline(repacked(payload, facts={**facts, **changes}))


def test_a_packed_outline_is_much_smaller_than_its_source() -> None:
    assert len(pack_outline(parse(SOURCE, "python"))) < len(SOURCE) / 3


@pytest.mark.parametrize(
    ("unit", "language"),
    [
        ("f();", "javascript"),
        ("a.b(c.d(e))\n", "python"),
        ("def f(a,b):\n 'd'\n", "python"),
        ("import a\n", "python"),
        ("@a\nclass B:0\n", "python"),
        ("if a:b()\n", "python"),
        ("x=(\n", "python"),
        ("const f=(a)=>g(a)\n", "typescript"),
    ],
)
def test_dense_source_has_an_outline_that_is_no_larger(unit: str, language: str) -> None:
    for count in (1, 10, 2_000):
        source = (unit * count).encode()
        assert len(pack_outline(parse(source, language))) <= len(source) + EMPTY_OUTLINE_BYTES


def test_the_outlines_of_real_files_are_smaller_than_the_files() -> None:
    for path in sorted(Path(chunk_atoms.__file__).parent.rglob("*.py")):
        source = path.read_bytes()
        assert len(pack_outline(parse(source, "python"))) <= len(source) // 2 + EMPTY_OUTLINE_BYTES


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
        {"facts": 7},
        {"facts": {}},
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
