"""Cut a text into atoms: the pieces that packing never cuts again. They tile the text, and none is above the limit.

Only what is too large is opened: the outline from the top down, then paragraphs, then lines, and a line itself last,
at a space or between two characters. Text between two nodes belongs to the left one up to the end of its line and to
the right one from there on, so what no node owns is in an atom as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pipeline.types import OutlineNode

#: After so many lines in one paragraph, lines are taken together up to RUN_BYTES.
MANY_LINES = 1_000
RUN_BYTES = 256
#: No indentation that matters is longer.
LOOK_BACK_BYTES = 256

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_LEADING = frozenset({"decorator", "heading"})


class Atom(NamedTuple):
    """A piece ``text[start:end]``. ``depth`` is how deep in the outline it is, ``level`` how deep the cut before it.

    ``is_glued`` says that the cut before it should not be made unless the limit forces it.
    """

    start: int
    end: int
    depth: int
    level: int
    is_glued: bool


class _Span(NamedTuple):
    """A node (-1: the whole file) with the text around it that it owns, still to be cut."""

    node: int
    start: int
    end: int
    level: int
    is_glued: bool


class Atoms:
    """Cuts one text along its outline."""

    def __init__(self, text: bytes, nodes: Sequence[OutlineNode], limit: int) -> None:
        self._text = text
        self._nodes = nodes
        self._limit = limit
        self._after = _subtree_ends(nodes)

    def cut(self) -> Iterator[Atom]:
        """Yield the atoms in order of their place in the text."""
        stack = [_Span(-1, 0, len(self._text), 0, False)]
        while stack:
            span = stack.pop()
            if span.start == span.end:
                continue
            depth = 0 if span.node < 0 else self._nodes[span.node].depth
            if span.end - span.start <= self._limit:
                yield Atom(span.start, span.end, depth, span.level, span.is_glued)
            elif self._is_opened(span):
                stack.extend(reversed(self._children(span)))
            else:
                yield from self._pieces(span, depth)

    def _is_opened(self, span: _Span) -> bool:
        """Tell whether a node has to be, and can be, cut between its children."""
        if span.node < 0:
            return bool(self._nodes)
        start, end = self._own_lines(span)
        return self._after[span.node] > span.node + 1 and end - start > self._limit

    def _own_lines(self, span: _Span) -> tuple[int, int]:
        """Return the span of the node itself and its indentation, without the text around it."""
        if span.node < 0:
            return span.start, span.end
        node = self._nodes[span.node]
        start = max(self._settled(node.start), span.start)
        if self._is_blank_before(start):
            start = max(self._line_start(start), span.start)
        return start, min(max(self._settled(node.end), start), span.end)

    def _children(self, span: _Span) -> list[_Span]:
        """Share the span's text out among the node's children."""
        kids = self._kids(span.node)
        spans = []
        start, level, is_glued = span.start, span.level, span.is_glued
        for kid, following in pairwise(kids):
            left, right = self._nodes[kid], self._nodes[following]
            cut = min(max(self._cut_between(left, right), start), span.end)
            spans.append(_Span(kid, start, cut, level, is_glued))
            if cut > start:
                start, level, is_glued = cut, right.depth, self._belong_together(left, right, cut)
        spans.append(_Span(kids[-1], start, span.end, level, is_glued))
        return spans

    def _kids(self, index: int) -> list[int]:
        end = len(self._nodes) if index < 0 else self._after[index]
        kids = []
        kid = index + 1
        while kid < end:
            kids.append(kid)
            kid = self._after[kid]
        return kids

    def _cut_between(self, left: OutlineNode, right: OutlineNode) -> int:
        """Return where to part two siblings: behind the line end after the left one, else before the right one."""
        if left.end and self._text[left.end - 1] in b"\r\n":
            return self._settled(left.end)
        newline = _NEWLINE.search(self._text, left.end, right.start)
        return self._settled(newline.end() if newline else right.start)

    def _settled(self, cut: int) -> int:
        """Return the cut, moved out of the middle of a line end or a character."""
        text = self._text
        if 0 < cut < len(text):
            if text[cut] == 0x0A and text[cut - 1] == 0x0D:
                return cut + 1
            while cut and text[cut] & 0xC0 == 0x80:
                cut -= 1
        return cut

    def _belong_together(self, left: OutlineNode, right: OutlineNode, cut: int) -> bool:
        """Tell whether siblings should stay together: on one line, a comment and its code, a run of imports."""
        if self._text[cut - 1] not in b"\r\n" or left.kind in _LEADING:
            return True
        if left.kind == "comment":
            between = self._text[left.end - 1 : right.start]
            return self._is_blank_before(left.start) and len(_NEWLINE.findall(between)) < 2
        return left.kind == right.kind == "import"

    def _is_blank_before(self, offset: int) -> bool:
        return not self._text[self._line_start(offset) : offset].strip()

    def _line_start(self, offset: int) -> int:
        """Return where the line starts, or where looking back ends: one line may be the whole file."""
        furthest = max(offset - LOOK_BACK_BYTES, 0)
        newline = max(self._text.rfind(b"\n", furthest, offset), self._text.rfind(b"\r", furthest, offset))
        return max(newline + 1, furthest)

    def _pieces(self, span: _Span, depth: int) -> Iterator[Atom]:
        """Cut a span without children: the text before the node, the node, the text after it."""
        start, end = self._own_lines(span)
        level, is_glued = span.level, span.is_glued
        for piece_start, piece_end in ((span.start, start), (start, end), (end, span.end)):
            if piece_start < piece_end:
                yield from self._paragraphs(Atom(piece_start, piece_end, depth, level, is_glued))
                level, is_glued = depth + 1, True

    def _paragraphs(self, piece: Atom) -> Iterator[Atom]:
        """Cut a piece at blank lines where it is above the limit; a cut before unindented text is the better one."""
        if piece.end - piece.start <= self._limit:
            yield piece
            return
        level, is_glued = piece.level, piece.is_glued
        for start, end, is_indented in self._paragraph_spans(piece.start, piece.end):
            depth = piece.depth + 1 + is_indented
            if start > piece.start:
                level, is_glued = depth, False
            yield from self._lines(Atom(start, end, depth, level, is_glued))

    def _paragraph_spans(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Yield start, end and whether it is indented, of every paragraph; blank lines lead the next one."""
        paragraph, blank = start, start
        is_indented = has_text = was_blank = False
        for line in _LINE.finditer(self._text, start, end):
            words = line[0].strip()
            if words and was_blank and has_text:
                yield paragraph, blank, is_indented
                paragraph, has_text = blank, False
            if not words and not was_blank:
                blank = line.start()
            if words and not has_text:
                has_text, is_indented = True, line[0][0] in b" \t"
            was_blank = not words
        yield paragraph, end, is_indented

    def _lines(self, paragraph: Atom) -> Iterator[Atom]:
        """Cut a paragraph into lines where it is above the limit."""
        if paragraph.end - paragraph.start <= self._limit:
            yield paragraph
            return
        depth = paragraph.depth + 1
        level, is_glued = paragraph.level, paragraph.is_glued
        start = paragraph.start
        end = start
        for count, line in enumerate(_LINE.finditer(self._text, start, paragraph.end)):
            if end > start and (count < MANY_LINES or line.end() - start > min(RUN_BYTES, self._limit)):
                yield from self._characters(Atom(start, end, depth, level, is_glued))
                start, level, is_glued = end, depth, False
            end = line.end()
        yield from self._characters(Atom(start, paragraph.end, depth, level, is_glued))

    def _characters(self, line: Atom) -> Iterator[Atom]:
        """Cut a line where it is above the limit: behind a space in its second half, else between characters."""
        start, level, is_glued = line.start, line.level, line.is_glued
        while line.end - start > self._limit:
            cut = self._text.rfind(b" ", start + self._limit // 2, start + self._limit) + 1
            if not cut:
                cut = start + self._limit
                if self._text[cut] == 0x0A and self._text[cut - 1] == 0x0D:
                    cut -= 1
                while self._text[cut] & 0xC0 == 0x80:
                    cut -= 1
            yield Atom(start, cut, line.depth, level, is_glued)
            start, level, is_glued = cut, line.depth + 1, True
        yield Atom(start, line.end, line.depth, level, is_glued)


def _subtree_ends(nodes: Sequence[OutlineNode]) -> list[int]:
    """Return for each node of a pre-order sequence the index behind its last descendant."""
    ends = [len(nodes)] * len(nodes)
    open_nodes: list[int] = []
    for i, node in enumerate(nodes):
        while open_nodes and nodes[open_nodes[-1]].depth >= node.depth:
            ends[open_nodes.pop()] = i
        open_nodes.append(i)
    return ends
