"""Outline code of other languages inside a document: fenced blocks, scripts, styles.

Each piece is parsed alone, where it stands, so that its nodes have the offsets of the whole text and no piece can
leak into the next. What is wrong in a piece is that piece's loss only: it stays one node without children.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import tree_sitter

from pipeline.parse.languages import TEXT, Embedding, Language, grammar_of, language_called, language_of
from pipeline.types import OutlineNode

#: Pieces of one document that are outlined; the ones behind are text.
MAX_PIECES = 1_000

#: ``py``, ``{.python .numbers}``, ``js{1,3}``, ``rust,ignore``, ``language-c``
_FENCE_LANGUAGE = re.compile(rb"[\s{.]*(?:lang(?:uage)?-)?([\w+#/-]+)")
#: ``lang="ts"``, ``type=text/javascript``; a language says more than a type.
_TAG_LANGUAGE = re.compile(rb"""\s(lang|type)\s*=\s*["']?([\w+#/.-]+)""", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"^.*/(?:x-)?(?:.*\+)?")

#: Outlines some spans of the text in a language; None if it cannot.
Outliner = Callable[[Language, Sequence[tree_sitter.Range]], Sequence[OutlineNode] | None]


@dataclass(frozen=True, slots=True)
class Piece:
    """Code in another language. ``ranges`` leave out what the document writes between its lines (``> ``)."""

    start: int
    end: int
    language: str
    ranges: tuple[tree_sitter.Range, ...]


def find_pieces(tree: tree_sitter.Tree, data: bytes, host: Language) -> list[Piece]:
    """Return the embedded code whose language is known, in order of its place."""
    found: list[Piece] = []
    for embedding in host.embedded:
        cursor = tree_sitter.QueryCursor(_query(host.name, embedding.query))
        for _, captures in cursor.matches(tree.root_node):
            code, info = captures["code"][0], captures["info"][0]
            language = _language(data[info.start_byte : info.end_byte], embedding)
            if language != TEXT and code.start_byte < code.end_byte:
                found.append(Piece(code.start_byte, code.end_byte, language, _ranges(code)))
    return sorted(found, key=lambda piece: piece.start)[:MAX_PIECES]


def graft(nodes: Sequence[OutlineNode], pieces: Sequence[Piece], outline: Outliner) -> list[OutlineNode]:
    """Return the nodes with one ``code`` node for each piece below the innermost node around it.

    Its language, and that of the nodes inside it, is the piece's.
    """
    grafted: list[OutlineNode] = []
    around: list[OutlineNode] = []
    at = 0
    for piece in pieces:
        while at < len(nodes) and _comes_before(nodes[at], piece):
            _step_into(around, nodes[at])
            grafted.append(nodes[at])
            at += 1
        while around and around[-1].end < piece.end:
            around.pop()
        depth = len(around)
        grafted.append(OutlineNode(piece.start, piece.end, depth, "code", language=piece.language))
        inside = outline(language_of(piece.language), piece.ranges) or ()
        grafted.extend(node._replace(depth=node.depth + depth + 1, language=piece.language) for node in inside)
        while at < len(nodes) and nodes[at].start < piece.end:
            at += 1  # what the document itself made of the code
    return [*grafted, *nodes[at:]]


def _comes_before(node: OutlineNode, piece: Piece) -> bool:
    """Tell whether a node starts before a piece, or is around it."""
    return node.start < piece.start or (node.start == piece.start and node.end > piece.end)


def _step_into(around: list[OutlineNode], node: OutlineNode) -> None:
    del around[node.depth :]
    around.append(node)


def _ranges(code: tree_sitter.Node) -> tuple[tree_sitter.Range, ...]:
    """Return the spans of a node that none of its named children is at: those are the document's, not the code's."""
    return tuple(
        tree_sitter.Range(start_point, end_point, start, end)
        for (start, start_point), (end, end_point) in _gaps(code)
        if start < end
    )


_Place = tuple[int, tree_sitter.Point]


def _gaps(code: tree_sitter.Node) -> Iterator[tuple[_Place, _Place]]:
    at = code.start_byte, code.start_point
    for child in code.named_children:
        yield at, (child.start_byte, child.start_point)
        at = child.end_byte, child.end_point
    yield at, (code.end_byte, code.end_point)


def _language(info: bytes, embedding: Embedding) -> str:
    """Return the language that an info string or a start tag tells, TEXT if it is none of ours."""
    if not embedding.language:
        found = _FENCE_LANGUAGE.match(info)
        return language_called(found[1].decode("ascii", "replace")) if found else TEXT
    told = {key.lower(): value.decode("ascii", "replace") for key, value in _TAG_LANGUAGE.findall(info)}
    if not told:
        return embedding.language
    return language_called(_MEDIA_TYPE.sub("", told.get(b"lang") or told[b"type"]))


@cache
def _query(host: str, query: str) -> tree_sitter.Query:
    grammar = grammar_of(host)
    assert grammar is not None  # noqa: S101  there is a tree of it
    return tree_sitter.Query(grammar, query)
