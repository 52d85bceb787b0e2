"""Parse a file into its outline: never fails on bad code, never takes unbounded time or stack.

A syntax error is no failure: the tree around it is used. Where there is nothing to use (no grammar, too much of the
file is an error, the parser spends too much effort) the outline has no nodes, and the chunker goes by paragraphs and
lines. A file that is too large for one tree is parsed in windows, each from the last top-level node of the one
before, so memory stays bounded.

The bound on effort counts the parser's own steps, so the same bytes have the same outline on every machine; seconds
only bound what a step can take on a file made to be slow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import thread_time

import tree_sitter

from pipeline.parse.decode import decode
from pipeline.parse.languages import Language, grammar_of, language_of
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

_LINE_START = re.compile(rb"^[ \t]*(?=\S)", re.MULTILINE)
_BLOCK_MARK = re.compile(rb"(?<!\S)[-?:](?!\S)")
_NEWLINE = re.compile(rb"\r\n|\r|\n")
_GAP = re.compile(rb"(?:\n\n|\r\n\r\n|\r\r)(?=[^\s)\]}])")
_LONE_CR = re.compile(rb"\r(?!\n)")


def parse(data: bytes, language: str) -> Outline:
    """Return the outline of a file's bytes; ``has_error`` also where the language's grammar could not be used.

    Raises:
        UnsupportedMediaType: The file is binary.
        MalformedDocument: The file is not in the encoding that its byte order mark promises.
    """
    text = decode(data)
    known = language_of(language)
    nodes, has_error = _parsed(text.data, known)
    return Outline(
        version=OUTLINE_VERSION,
        language=known.name,
        encoding=text.encoding,
        length=len(text.data),
        has_error=has_error,
        nodes=tuple(nest_sections(nodes) if known.headings else nodes),
    )


def _parsed(data: bytes, language: Language) -> tuple[list[OutlineNode], bool]:
    """Return the nodes of a text and whether anything in it could not be parsed."""
    if not language.module:
        return [], False
    nodes: list[OutlineNode] = []
    start, broken, has_error = 0, 0, False
    deadline = thread_time() + MAX_PARSE_SECONDS
    end = 0
    while end < len(data):
        end = _window_end(data, start, language.max_bytes)
        window = data[start:end]
        tree = _syntax_tree(window, language, deadline)
        if tree is None or thread_time() > deadline:
            return nodes, True
        found = Walk(window, language).nodes(tree)
        until = None
        if end < len(data):
            last = _last_top_level(found)
            if not last:
                return nodes, True  # one node that no window holds: the rest goes by lines
            until = found[last].start
            del found[last:]
        broken += _error_bytes(tree, until)
        has_error = has_error or _has_error(tree, until)
        nodes += found if not start else [_moved(node, start) for node in found]
        start += until or 0
    return (nodes if broken <= MAX_ERROR_SHARE * len(data) else []), has_error


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


def _syntax_tree(data: bytes, language: Language, deadline: float) -> tree_sitter.Tree | None:
    """Return the syntax tree, or None where there is no grammar or it must not, or cannot, be used on this."""
    grammar = grammar_of(language.name)
    if grammar is None:
        return None
    if language.max_nesting and _nests_deeper(data, language.max_nesting):
        return None
    if b"\r" in data:
        # Some grammars know no line end without \n. One byte for one byte, so every offset stays.
        data = _LONE_CR.sub(b"\n", data)
    patience = _Patience(BASE_EFFORT + int(len(data) * EFFORT_PER_BYTE), deadline)

    def read(offset: int, _: tree_sitter.Point) -> bytes:
        return data[offset : offset + _WINDOW]

    try:
        return tree_sitter.Parser(grammar).parse(read, progress_callback=patience.is_over)
    except ValueError:
        if not patience.is_lost:
            raise
        return None  # this is how an abort by the progress callback is reported


class _Patience:
    """How long one parse may go on: so many reports of progress, and until then (seconds of `thread_time`)."""

    def __init__(self, reports: int, deadline: float) -> None:
        self.is_lost = False
        self._reports = reports
        self._deadline = deadline

    def is_over(self, _offset: int = 0, _has_error: bool = False) -> bool:
        """Count one report of progress and tell whether to abort."""
        self._reports = left = self._reports - 1
        # Asking for the time costs as much as a hundred steps of the parser do.
        if left < 0 or (not left & 15 and thread_time() > self._deadline):
            self.is_lost = True
        return self.is_lost


def _has_error(tree: tree_sitter.Tree, until: int | None) -> bool:
    """Tell whether there is an error; see `_error_bytes` for ``until``."""
    root = tree.root_node
    if until is None or not root.has_error:
        return root.has_error
    return any(child.has_error for child in root.children if child.start_byte < until)


def _error_bytes(tree: tree_sitter.Tree, until: int | None = None) -> int:
    """Return how many bytes are inside error nodes, looking only where the tree says there are any.

    ``until`` is where a tree ends that is cut off: errors behind it do not count, nor that the whole is one.
    """
    total = 0
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None  # noqa: S101  a cursor always stands on a node
        if until is not None and node.start_byte >= until:
            return total
        if node.is_error and (until is None or cursor.depth):
            total += node.end_byte - node.start_byte
        elif node.has_error and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return total


def _nests_deeper(data: bytes, limit: int) -> bool:
    """Tell whether block indentation may nest deeper than ``limit``; rather says yes too often than too seldom."""
    depth = 0
    open_blocks: list[tuple[int, int]] = []
    for line in _NEWLINE.split(data):
        start = _LINE_START.match(line)
        if start is None:
            continue
        while open_blocks and open_blocks[-1][0] >= start.end():
            depth -= open_blocks.pop()[1]
        blocks = 1 + len(_BLOCK_MARK.findall(line))
        open_blocks.append((start.end(), blocks))
        depth += blocks
        if depth > limit:
            return True
    return False
