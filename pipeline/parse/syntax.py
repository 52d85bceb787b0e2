"""Give text to a grammar: within bounds of effort, time and memory, and without what grammars cannot take.

The bound on effort counts the parser's own steps, so the same bytes have the same tree on every machine; seconds and
memory only bound what a step can take on a file made to hurt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import thread_time

import tree_sitter

from pipeline.parse.languages import Language, grammar_of
from pipeline.parse.limits import Growth, growth_allowed, is_too_much

#: How often the parser may report progress (every 100 steps): a base, and a share of the bytes. Of 150 MB of real
#: and of broken files none came above 0.02 a byte and 214, and made ones of one-letter statements or list items not
#: above 0.093; a hostile one would go on for hours. A report stands for 0.1 to 0.4 ms, so that a hostile megabyte may
#: well be stopped by the clock first (`parser.allowed_seconds`).
BASE_EFFORT = 2_000
EFFORT_PER_BYTE = 0.1

#: Reports between two looks at time and memory, which cost as much as a hundred steps of the parser do; 2 ** n - 1.
_REPORTS_A_LOOK = 63
#: Bytes handed to the parser at a time.
_WINDOW = 65_536

#: Children of one node that have no name, brackets for instance: queries take time with the square of their number.
MAX_NAMELESS = 4_000

_NOT_LINE_END = re.compile(rb"[^\r\n]")
_LONE_CR = re.compile(rb"\r(?!\n)")


class Patience:
    """How long parsing so many bytes may go on, and at most until ``deadline`` (s of `time.thread_time`)."""

    def __init__(self, size: int, deadline: float) -> None:
        self._reports = BASE_EFFORT + int(size * EFFORT_PER_BYTE) + 1
        self._deadline = deadline
        self._growth = Growth(growth_allowed(size))
        self.is_lost = False

    def report(self, _offset: int = 0, _has_error: bool = False) -> bool:
        """Count one report of progress and tell whether to abort."""
        self._reports = left = self._reports - 1
        return not left & _REPORTS_A_LOOK and self._gives_up()

    def _gives_up(self) -> bool:
        """Tell whether to abort, at this report and at every later one."""
        if not self._reports or thread_time() > self._deadline or self._growth.is_too_much():
            self.is_lost = True
            self._reports = 1
        return self.is_lost


def syntax_tree(
    data: bytes, language: Language, patience: Patience, ranges: Sequence[tree_sitter.Range] = ()
) -> tree_sitter.Tree | None:
    """Return the syntax tree, or None where there is no grammar or it must not, or cannot, be used on this.

    With ``ranges`` only those are parsed; the tree still has the offsets of the whole text.
    """
    grammar = grammar_of(language.name)
    first = ranges[0].start_byte if ranges else 0
    part = data[first : ranges[-1].end_byte] if ranges else data
    if grammar is None or is_too_much(part, language):
        return None
    part = _readable(part, language)

    def read(offset: int, _: tree_sitter.Point) -> bytes:
        return part[max(offset - first, 0) : offset - first + _WINDOW] if offset >= first else b" "

    try:
        parser = tree_sitter.Parser(grammar, included_ranges=list(ranges) or None)
        return parser.parse(read, progress_callback=patience.report)
    except ValueError:
        if not patience.is_lost:
            raise
        return None  # this is how an abort by the progress callback is reported


def has_error(tree: tree_sitter.Tree, until: int | None) -> bool:
    """Tell whether there is an error; see `error_bytes` for ``until``."""
    root = tree.root_node
    if until is None or not root.has_error:
        return root.has_error
    return any(child.has_error for child in root.children if child.start_byte < until)


def is_too_wide(tree: tree_sitter.Tree) -> bool:
    """Tell whether a query would take too long, for an error node holds side by side what the grammar cannot place."""
    cursor = tree.walk()
    while True:
        node = cursor.node
        assert node is not None  # noqa: S101  a cursor always stands on a node
        if node.has_error and node.end_byte - node.start_byte > MAX_NAMELESS:
            if node.child_count - node.named_child_count > MAX_NAMELESS:
                return True
            if cursor.goto_first_child():
                continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return False


def error_bytes(tree: tree_sitter.Tree, until: int | None = None) -> int:
    """Return how many bytes the grammar made nothing of, looking only where the tree says there are any.

    An error node often holds most of a file, and in it whole functions that the parser did know: a named node over
    several lines counts for what is broken in itself. ``until`` is where a tree ends that is cut off: errors behind
    it do not count, nor that the whole is one.
    """
    total = 0
    cursor = tree.walk()
    in_error = [False]
    while True:
        node = cursor.node
        assert node is not None  # noqa: S101  a cursor always stands on a node
        if until is not None and node.start_byte >= until:
            return total
        is_error = node.is_error and (until is None or cursor.depth > 0)
        is_lost = in_error[-1] and (is_error or not _is_sound(node))
        if is_error != in_error[-1] and not is_lost:
            total += (node.end_byte - node.start_byte) * (1 if is_error else -1)
        if node.has_error and (is_error or not is_lost) and cursor.goto_first_child():
            in_error.append(is_error)
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return total
            in_error.pop()


def _is_sound(node: tree_sitter.Node) -> bool:
    return node.is_named and node.start_point.row < node.end_point.row


def _readable(part: bytes, language: Language) -> bytes:
    """Return the text as grammars can take it, one byte for one byte, so that every offset stays.

    Some know no line end without ``\\n``, and some read on and on at a NUL.
    """
    if b"\r" in part:
        part = _LONE_CR.sub(b"\n", part)
    part = part.replace(b"\0", b" ")
    return part if language.unread is None else language.unread.sub(_blank, part)


def _blank(match: re.Match[bytes]) -> bytes:
    return _NOT_LINE_END.sub(b" ", match[0])
