"""Give text to a grammar: within bounds of effort, time and memory, and without what grammars cannot take.

The bound on effort counts the parser's own steps, so the same bytes have the same tree on every machine; seconds and
memory only bound what a step can take on a file made to hurt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic, thread_time

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
#: Seconds between two looks where reports are slow: a step may read to the end of the file, and a hundred of them take
#: most of a second then. The clock on the wall is read ten times as fast as that of the thread.
_SECONDS_A_LOOK = 0.05
#: Bytes handed to the parser at a time. It looks at the clock before each, which bounds a step that reads on and on.
_WINDOW = 262_144
#: A text up to this size takes no more than a few views of it.
_SMALL_BYTES = 512

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
        self._next_look = monotonic() + _SECONDS_A_LOOK
        self.is_lost = False

    def report(self, _offset: int = 0, _has_error: bool = False) -> bool:
        """Count one report of progress and tell whether to abort."""
        self._reports = left = self._reports - 1
        return (not left & _REPORTS_A_LOOK or monotonic() > self._next_look) and self.gives_up()

    def gives_up(self) -> bool:
        """Tell whether to abort, now and ever after: the time, the memory or the reports are used up."""
        self._next_look = monotonic() + _SECONDS_A_LOOK
        if self.is_lost or self._reports <= 0 or thread_time() > self._deadline or self._growth.is_too_much():
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
    source = _Source(_readable(part, language), first, patience)
    try:
        parser = tree_sitter.Parser(grammar, included_ranges=list(ranges) or None)
        tree = parser.parse(source.read, progress_callback=patience.report)
    except ValueError:
        if not patience.is_lost:
            raise
        return None  # this is how an abort by the progress callback is reported
    finally:
        source.release()
    return None if source.is_cut_off else tree


class _Source:
    """Hands a text to the parser, and takes it back.

    tree-sitter 0.26.1 keeps a reference to whatever a read returns, for ever (as it did for the text of nodes until
    tree-sitter/py-tree-sitter#464). So it is given views of what is larger than they are, which let go of the text when
    they are released. From then on no tree must be asked for the text of a node.
    """

    def __init__(self, data: bytes, first: int, patience: Patience) -> None:
        self._data: memoryview | bytes = data if len(data) <= _SMALL_BYTES else memoryview(data)
        self._first = first
        self._patience = patience
        self._parts: list[memoryview | bytes] = []
        self.is_cut_off = False

    def read(self, offset: int, _: tree_sitter.Point) -> memoryview | bytes:
        """Return what is from an offset on; the text ends where patience does."""
        at = offset - self._first
        if at < 0:
            return b" "
        if at >= len(self._data):
            return b""
        if self._parts and self._patience.gives_up():
            self.is_cut_off = True
            return b""
        part = self._data[at : at + _WINDOW]
        self._parts.append(part)
        return part

    def release(self) -> None:
        """Let go of the text."""
        for part in (self._data, *self._parts):
            if isinstance(part, memoryview):
                part.release()


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
    for pattern in language.unread:
        part = pattern.sub(_blank, part)
    return part


def _blank(match: re.Match[bytes]) -> bytes:
    """Return what is matched with blanks for its last group, or for all of it where there is none."""
    text, first = match[0], match.start()
    start, end = (offset - first for offset in match.span(match.lastindex or 0))
    return text[:start] + _NOT_LINE_END.sub(b" ", text[start:end]) + text[end:]
