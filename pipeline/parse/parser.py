"""Parse a file into its outline: never fails on bad code, never takes unbounded time or stack.

A syntax error is no failure: the tree around it is used. Where there is nothing to use (no grammar, too much of the
file is an error, the parser spends too much effort) the outline has no nodes, and the chunker goes by paragraphs and
lines. A file that is too large for one tree is parsed in windows, each from the last top-level node of the one
before, so memory stays bounded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import thread_time
from typing import NamedTuple

import tree_sitter

from pipeline.facts import FileFacts
from pipeline.parse.decode import decode
from pipeline.parse.embedded import find_pieces, graft
from pipeline.parse.facts import collect_facts, join_facts
from pipeline.parse.languages import Language, grammar_of, language_of
from pipeline.parse.openings import call_exports, call_opening
from pipeline.parse.sections import nest_rests, nest_sections
from pipeline.parse.syntax import Patience, error_bytes, has_error, is_too_wide, syntax_tree
from pipeline.parse.walk import LEAF_BYTES, Walk
from pipeline.types import Outline, OutlineNode

#: Grows with every change to what the same bytes are outlined as, the grammars' versions included.
OUTLINE_VERSION = 4

#: A file with a larger share of its bytes inside error nodes is not in the language it claims.
MAX_ERROR_SHARE = 0.5

#: Seconds of this thread's processor time: a base, so many for each megabyte, and no more than the last. Each step may
#: read the rest of the file once more. Ordinary files take 0.3 to 3 s a megabyte.
BASE_PARSE_SECONDS = 4.0
PARSE_SECONDS_PER_MB = 6.0
MAX_PARSE_SECONDS = 20.0

#: Where unindented text follows a blank line.
_GAP = re.compile(rb"(?:\n\n|\r\n\r\n|\r\r)(?=[^\s)\]}])")


class _Contents(NamedTuple):
    """What a text, or a window of one, has: its nodes, its facts, and whether any of it could not be parsed."""

    nodes: Sequence[OutlineNode]
    facts: FileFacts | None
    has_error: bool


def parse(data: bytes, language: str, *, with_facts: bool = True, leaf_bytes: int = LEAF_BYTES) -> Outline:
    """Return the outline of a file's bytes; ``has_error`` also where the language's grammar could not be used on it.

    What is in a node of at most ``leaf_bytes`` is not outlined, unless it is a class or the like: the outline is for
    chunk budgets that are not smaller.

    A language whose grammar is not installed is outlined like text, without an error: the file may well be right.

    Raises:
        UnsupportedMediaType: The file is binary.
        MalformedDocument: The file is not in the encoding that its byte order mark promises.
    """
    text = decode(data)
    known = language_of(language)
    contents = _Contents([], None, False)
    if grammar_of(known.name) is not None:
        contents = _Reading(text.data, known, with_facts=with_facts, leaf_bytes=leaf_bytes).contents()
    nodes, facts, has_errors = contents
    return Outline(
        version=OUTLINE_VERSION,
        language=known.name,
        encoding=text.encoding,
        length=len(text.data),
        has_error=has_errors,
        nodes=tuple(nodes),
        facts=facts,
    )


def allowed_seconds(size: int) -> float:
    """Return how long a text of so many bytes may be parsed; what was found until then is kept."""
    return min(MAX_PARSE_SECONDS, BASE_PARSE_SECONDS + PARSE_SECONDS_PER_MB * size / 1_000_000)


class _Reading:
    """The parsing of one text, window by window. What was found so far stands when the rest cannot be parsed."""

    def __init__(self, data: bytes, language: Language, *, with_facts: bool, leaf_bytes: int) -> None:
        self._data = data
        self._leaf_bytes = leaf_bytes
        self._language = language
        self._with_facts = with_facts
        self._deadline = thread_time() + allowed_seconds(len(data))
        self._nodes: list[OutlineNode] = []
        self._rests: list[int] = []
        self._facts: FileFacts | None = None
        self._broken = 0
        self._has_error = False

    def contents(self) -> _Contents:
        """Read to the end, or to where that is not possible any more, and return what was found."""
        is_whole = self._read()
        if is_whole and self._broken > MAX_ERROR_SHARE * len(self._data):
            return _Contents([], None, self._has_error)
        nodes = nest_sections(self._nodes) if self._language.headings else nest_rests(self._nodes, self._rests)
        return _Contents(nodes, self._facts, self._has_error or not is_whole)

    def _read(self) -> bool:
        """Take what can be read; tell whether that is all."""
        start = end = 0
        while end < len(self._data):
            end = _window_end(self._data, start, self._language.max_bytes)
            window = self._data[start:end]
            tree = syntax_tree(window, self._language, Patience(len(window), self._deadline))
            if tree is None or thread_time() > self._deadline:
                return False
            until = self._take(tree, window, start, is_last=end == len(self._data))
            if not until:
                return False  # a node that no window holds: the rest goes by lines
            start += until
        return True

    def _take(self, tree: tree_sitter.Tree, window: bytes, start: int, *, is_last: bool) -> int:
        """Take what is whole in a window and return where that ends in it; 0 where nothing is."""
        walk = Walk(window, self._language, self._leaf_bytes)
        found = walk.nodes(tree)
        until = None
        if not is_last:
            last = _last_top_level(found)
            if not last:
                return 0
            until = found[last].start
            del found[last:]
        if not start:
            call_opening(found, tree, window, self._language)
        if is_last and self._language.exports is not None:
            call_exports(found, window, self._language.exports)
        self._broken += error_bytes(tree, until)
        self._has_error = self._has_error or has_error(tree, until)
        if self._language.embedded:
            found = self._with_embedded(found, tree, window, until)
        elif self._with_facts and not is_too_wide(tree):
            facts = collect_facts(tree, window, self._language.name, found, walk.inner)
            self._facts = join_facts(self._facts, facts, len(self._nodes), start, until)
        self._rests += [len(self._nodes) + i for i in walk.rests if i < len(found)]
        self._nodes += found if not start else [_moved(node, start) for node in found]
        return len(window) if until is None else until

    def _with_embedded(
        self, nodes: Sequence[OutlineNode], tree: tree_sitter.Tree, window: bytes, until: int | None
    ) -> list[OutlineNode]:
        """Return the nodes with those of the code that is embedded; all of it together has the patience of one file."""
        patience = Patience(len(window), self._deadline)

        def outline(inner: Language, ranges: Sequence[tree_sitter.Range]) -> Sequence[OutlineNode] | None:
            piece = syntax_tree(window, inner, patience, ranges)
            size = sum(span.end_byte - span.start_byte for span in ranges)
            if piece is None or error_bytes(piece) > MAX_ERROR_SHARE * size:
                return None
            walk = Walk(window, inner, self._leaf_bytes)
            found = walk.nodes(piece)
            return nest_sections(found) if inner.headings else nest_rests(found, walk.rests)

        pieces = find_pieces(tree, window, self._language)
        return graft(nodes, [piece for piece in pieces if until is None or piece.end <= until], outline)


def _window_end(data: bytes, start: int, most: int) -> int:
    """Return up to where to parse at once: to the end if it is near, else to about halfway.

    There it is best to end before unindented text behind a blank line, for the grammar takes what a window tears for
    an error, and may take it out on what is before.
    """
    if len(data) - start <= most:
        return len(data)
    end = start + most // 2
    ends = [gap.end() for gap in _GAP.finditer(data, end - most // 8, end)]
    if ends:
        return ends[-1]
    return max(data.rfind(b"\n", start, end), data.rfind(b"\r", start, end)) + 1 or end


def _last_top_level(nodes: Sequence[OutlineNode]) -> int:
    """Return the index of the last top-level node: it may go on behind the window. 0 also where there is no other."""
    return next((i for i in range(len(nodes) - 1, 0, -1) if nodes[i].depth == 0), 0)


def _moved(node: OutlineNode, offset: int) -> OutlineNode:
    return node._replace(start=node.start + offset, end=node.end + offset)
