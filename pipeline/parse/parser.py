"""Parse a file into its outline: never fails on bad code, never takes unbounded time or stack.

A syntax error is no failure: the tree around it is used. Where there is nothing to use (no grammar, too much of the
file is an error, the parser spends too much effort) the outline has no nodes, and the chunker goes by paragraphs and
lines. The bound on effort counts the parser's own steps, so the same bytes have the same outline on every machine;
seconds and memory only bound what a step can take on a file made to hurt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import thread_time

import tree_sitter

from pipeline.facts import FileFacts
from pipeline.parse.decode import decode
from pipeline.parse.embedded import find_pieces, graft
from pipeline.parse.facts import collect_facts
from pipeline.parse.languages import Language, grammar_of, language_of
from pipeline.parse.limits import Growth, is_too_much
from pipeline.parse.sections import nest_sections
from pipeline.parse.walk import Walk
from pipeline.types import Outline, OutlineNode

#: Grows with every change to what the same bytes are outlined as, the grammars' versions included.
OUTLINE_VERSION = 2

#: A file with a larger share of its bytes inside error nodes is not in the language it claims.
MAX_ERROR_SHARE = 0.3

#: How often the parser may report progress (every 100 steps): a base, and a share of the bytes. Of 150 MB of real
#: and of broken files none came above 0.02 a byte and 214; a hostile one would go on for hours.
BASE_EFFORT = 2_000
EFFORT_PER_BYTE = 0.05
#: Seconds of this thread's processor time. Each step may read the rest of the file once more.
MAX_PARSE_SECONDS = 20.0

#: Bytes handed to the parser at a time.
_WINDOW = 65_536

_NOT_LINE_END = re.compile(rb"[^\r\n]")
_LONE_CR = re.compile(rb"\r(?!\n)")


def parse(data: bytes, language: str, *, with_facts: bool = True) -> Outline:
    """Return the outline of a file's bytes; ``has_error`` also where the language's grammar could not be used on it.

    A language whose grammar is not installed is outlined like text, without an error: the file may well be right.

    Raises:
        UnsupportedMediaType: The file is binary.
        MalformedDocument: The file is not in the encoding that its byte order mark promises.
    """
    text = decode(data)
    known = language_of(language)
    tree = _syntax_tree(text.data, known, _Patience(len(text.data)))
    nodes: Sequence[OutlineNode] = ()
    facts: FileFacts | None = None
    if tree is not None and _error_bytes(tree) <= MAX_ERROR_SHARE * len(text.data):
        nodes, facts = _contents(tree, text.data, known, with_facts=with_facts)
    return Outline(
        version=OUTLINE_VERSION,
        language=known.name,
        encoding=text.encoding,
        length=len(text.data),
        has_error=grammar_of(known.name) is not None and (tree is None or tree.root_node.has_error),
        nodes=tuple(nodes),
        facts=facts,
    )


def _contents(
    tree: tree_sitter.Tree, data: bytes, language: Language, *, with_facts: bool
) -> tuple[Sequence[OutlineNode], FileFacts | None]:
    """Return the outline's nodes and facts; code inside a document brings nodes only."""
    if language.embedded:
        return _with_embedded(_nodes(tree, data, language), tree, data, language), None
    walk = Walk(data, language)
    nodes = walk.nodes(tree)
    facts = collect_facts(tree, data, language.name, nodes, walk.inner) if with_facts else None
    return (nest_sections(nodes) if language.headings else nodes), facts


def _nodes(tree: tree_sitter.Tree, data: bytes, language: Language) -> list[OutlineNode]:
    nodes = Walk(data, language).nodes(tree)
    return nest_sections(nodes) if language.headings else nodes


def _with_embedded(
    nodes: Sequence[OutlineNode], tree: tree_sitter.Tree, data: bytes, language: Language
) -> list[OutlineNode]:
    """Return the nodes with those of the code that is embedded; all of it together has the patience of one file."""
    patience = _Patience(len(data))

    def outline(inner: Language, ranges: Sequence[tree_sitter.Range]) -> list[OutlineNode] | None:
        piece = _syntax_tree(data, inner, patience, ranges)
        size = sum(span.end_byte - span.start_byte for span in ranges)
        if piece is None or _error_bytes(piece) > MAX_ERROR_SHARE * size:
            return None
        return _nodes(piece, data, inner)

    return graft(nodes, find_pieces(tree, data, language), outline)


def _syntax_tree(
    data: bytes, language: Language, patience: _Patience, ranges: Sequence[tree_sitter.Range] = ()
) -> tree_sitter.Tree | None:
    """Return the syntax tree, or None where there is no grammar or it must not, or cannot, be used on this.

    With ``ranges`` only those are parsed; the tree still has the offsets of the whole text.
    """
    grammar = grammar_of(language.name)
    first = ranges[0].start_byte if ranges else 0
    part = data[first : ranges[-1].end_byte] if ranges else data
    if grammar is None or is_too_much(part, language):
        return None
    # Some grammars know no line end without \n, and some read on and on at a NUL. One byte for one byte, so that every
    # offset stays.
    if b"\r" in part:
        part = _LONE_CR.sub(b"\n", part)
    part = part.replace(b"\0", b" ")
    if language.unread is not None:
        part = language.unread.sub(_blank, part)

    def read(offset: int, _: tree_sitter.Point) -> bytes:
        return part[max(offset - first, 0) : offset - first + _WINDOW] if offset >= first else b" "

    try:
        parser = tree_sitter.Parser(grammar, included_ranges=list(ranges) or None)
        return parser.parse(read, progress_callback=patience.is_over)
    except ValueError:
        if not patience.is_over():
            raise
        return None  # this is how an abort by the progress callback is reported


def _blank(match: re.Match[bytes]) -> bytes:
    return _NOT_LINE_END.sub(b" ", match[0])


class _Patience:
    """How long parsing so many bytes may go on."""

    def __init__(self, size: int) -> None:
        self._reports = BASE_EFFORT + int(size * EFFORT_PER_BYTE)
        self._growth = Growth()
        self._is_over = False
        self._deadline = thread_time() + MAX_PARSE_SECONDS

    def is_over(self, _offset: int = 0, _has_error: bool = False) -> bool:
        """Count one report of progress and tell whether to abort."""
        self._reports -= 1
        self._is_over |= self._reports < 0 or thread_time() > self._deadline or self._growth.is_too_much()
        return self._is_over


def _error_bytes(tree: tree_sitter.Tree) -> int:
    """Return how many bytes are inside error nodes, looking only where the tree says there are any."""
    total = 0
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None  # noqa: S101  a cursor always stands on a node
        if node.is_error:
            total += node.end_byte - node.start_byte
        elif node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return total
