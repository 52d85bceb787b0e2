"""Outlines as bytes for a database row, and back: columns of small numbers, which deflate packs well.

What cannot be read back exactly as it was written is refused, whether it was damaged or comes from another version:
the caller parses again.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from pipeline.errors import MalformedDocument
from pipeline.facts_codec import fact_columns, facts_of, steps, sums
from pipeline.parse.parser import OUTLINE_VERSION
from pipeline.types import Outline, OutlineNode


def pack_outline(outline: Outline) -> bytes:
    """Return the outline as compressed JSON."""
    nodes = outline.nodes
    kinds = sorted({node.kind for node in nodes})
    index = {kind: i for i, kind in enumerate(kinds)}
    languages = sorted({node.language for node in nodes})
    columns = {
        "version": outline.version,
        "language": outline.language,
        "encoding": outline.encoding,
        "length": outline.length,
        "has_error": outline.has_error,
        "count": len(nodes),
        "starts": steps(node.start for node in nodes),
        "sizes": [node.end - node.start for node in nodes],
        "depths": steps(node.depth for node in nodes),
        "kinds": kinds,
        "kind": [index[node.kind] for node in nodes],
        "languages": languages,
        "language_of": [languages.index(node.language) for node in nodes] if len(languages) > 1 else [],
        "facts": None if outline.facts is None else fact_columns(outline.facts, nodes),
        "named": {str(i): [node.name, node.signature] for i, node in enumerate(nodes) if node.name or node.signature},
    }
    return zlib.compress(json.dumps(columns, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace"))


def unpack_outline(payload: bytes) -> Outline:
    """Return the outline that was packed.

    Raises:
        MalformedDocument: The payload is damaged or of another version; parse the document again.
    """
    try:
        columns = json.loads(zlib.decompress(payload))
        version = columns["version"]
        outline = _outline(columns) if version == OUTLINE_VERSION else None
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as exc:
        raise MalformedDocument("The stored outline is damaged; parse the document again.") from exc
    if outline is None:
        raise MalformedDocument(
            f"The stored outline has version {version}, not {OUTLINE_VERSION}; parse the document again."
        )
    return outline


def _outline(columns: dict[str, Any]) -> Outline:
    """Build the outline; every column must have as many rows as the count says."""
    named = {int(i): (str(name), str(signature)) for i, (name, signature) in columns["named"].items()}
    rows = zip(
        range(columns["count"]),
        sums(columns["starts"]),
        columns["sizes"],
        sums(columns["depths"]),
        columns["kind"],
        columns["language_of"] or [0] * columns["count"],
        strict=True,
    )
    nodes = tuple(
        OutlineNode(
            start,
            start + size,
            depth,
            columns["kinds"][kind],
            *named.get(i, ("", "")),
            columns["languages"][language],
        )
        for i, start, size, depth, kind, language in rows
    )
    return Outline(
        version=columns["version"],
        language=str(columns["language"]),
        encoding=str(columns["encoding"]),
        length=int(columns["length"]),
        has_error=bool(columns["has_error"]),
        nodes=nodes,
        facts=None if columns["facts"] is None else facts_of(columns["facts"], nodes),
    )
