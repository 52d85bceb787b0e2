"""Cut a text into atoms: the pieces that packing never cuts again. They tile the text, and none is above the limit.

Only what is too large is opened: the outline from the top down, then paragraphs, then lines, and a line itself last,
at a space or between two characters. Text between two nodes belongs to the left one up to the end of its line and to
the right one from there on, so what no node owns is in an atom as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

from pipeline.types import OutlineNode

#: Pieces of a table or of a long paragraph are from LEAST_SHARE to MOST_SHARE of the limit, where their rows allow it:
#: what stands before and behind them still has room. The last one has at least REST_SHARE.
LEAST_SHARE = 0.6
MOST_SHARE = 0.9
REST_SHARE = 0.25
#: So many bytes behind a cut say how good it is.
RANK_BYTES = 64
#: No indentation that matters is longer.
LOOK_BACK_BYTES = 256
CLAUSE_SHARE = 0.25

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
#: What closes a body, where something goes on behind it: ``} else``, ``} while``.
_CLOSERS = b")]}"
_LEADING = frozenset({"decorator", "heading"})
#: Kinds that may stay with what follows them.
_STICKY = _LEADING | {"comment", "import"}

#: ``Atom(...)`` takes three times as long.
_new = tuple.__new__


class Atom(NamedTuple):
    """A piece ``text[start:end]``. ``depth`` is how deep in the outline it is, ``level`` how deep the cut before it.

    ``is_glued`` says that the cut before it should not be made unless the limit forces it. ``node`` is the node that
    it is, with the text around it that the node owns; -1 is the whole file, or a part of a node. ``is_definition``
    says that the node has a name.
    """

    start: int
    end: int
    depth: int
    level: int
    is_glued: bool
    node: int = -1
    is_definition: bool = False


class Atoms:
    """Cuts one text along its outline."""

    def __init__(self, text: bytes, nodes: Sequence[OutlineNode], limit: int) -> None:
        self._text = text
        self._nodes = nodes
        self._limit = limit
        self._most = max(int(limit * MOST_SHARE), 1)
        self._has_cr = b"\r" in text
        self._siblings = _next_siblings(nodes) if len(text) > limit else []

    def cut(self) -> Iterator[Atom]:
        """Yield the atoms in order of their place in the text."""
        limit, clause = self._limit, self._limit * CLAUSE_SHARE
        opened = [iter([Atom(0, len(self._text), 0, 0, False)])] if self._text else []
        while opened:
            for span in opened[-1]:
                size = span[1] - span[0]
                if size <= clause or (size <= limit and not self._is_large_clause(span)):
                    yield span
                elif (kid := self._kid_to_part(span)) is not None:
                    opened.append(iter(self._parted(span, kid)))
                    break
                elif size <= limit:
                    yield span
                else:
                    yield from self._pieces(span)
            else:
                opened.pop()

    def _kid_to_part(self, span: Atom) -> int | None:
        """Return the first of the children to cut a span between; None where it has none, or need not be cut."""
        index, kid = span.node, span.node + 1
        if index >= 0:
            start, end = self._own_span(span)
            if end - start <= self._limit and not self._is_large_clause(span):
                return None
        is_parent = kid < len(self._siblings) and (index < 0 or self._nodes[kid].depth > self._nodes[index].depth)
        return kid if is_parent else None

    def _is_large_clause(self, span: Atom) -> bool:
        """Tell whether a clause may be too large to stay with the statement before it, so that it starts a chunk."""
        return (
            span.end - span.start > self._limit * CLAUSE_SHARE
            and span.node >= 0
            and self._nodes[span.node].kind == "clause"
        )

    def _own_span(self, span: Atom) -> tuple[int, int]:
        """Return the span of the node itself, with its indentation if both fit, without the text around it."""
        if span.node < 0:
            return span.start, span.end
        node = self._nodes[span.node]
        start = max(self._settled(node.start), span.start)
        end = min(max(self._settled(node.end), start), span.end)
        line = self._line_start(start)
        if line >= span.start and end - line <= self._limit and not self._text[line:start].strip():
            start = line
        return start, end

    def _parted(self, span: Atom, kid: int) -> list[Atom]:
        """Share the span's text out among a node's children, of which ``kid`` is the first."""
        spans = []
        start, end, _, level, is_glued, _, _ = span
        nodes, text, siblings, find, has_cr = self._nodes, self._text, self._siblings, self._text.find, self._has_cr
        left = nodes[kid]
        kind, depth = left.kind, left.depth
        while following := siblings[kid]:
            right = nodes[following]
            # What ``_cut_between`` most often does, without the call: a twentieth of the time that cutting takes.
            cut = 0 if has_cr else find(b"\n", left.end - 1, right.start) + 1
            if not cut:
                cut = self._cut_between(left, right)
            if not start <= cut <= end:
                cut = min(max(cut, start), end)
            right_kind = right.kind
            if cut > start:
                is_definition = left.name != "" or kind == "inner"
                spans.append(_new(Atom, (start, cut, depth, level, is_glued, kid, is_definition)))
                start, level = cut, depth
                is_loose = kind not in _STICKY and right_kind != "clause" and text[cut - 1] == 0x0A
                is_glued = not is_loose and self._belong_together(left, right, cut)
                if not is_glued:
                    before = text[cut : right.start].strip()
                    is_glued = before != b"" and before[0] in _CLOSERS
            left, kid, kind = right, following, right_kind
        if end > start:
            spans.append(Atom(start, end, depth, level, is_glued, kid, left.name != "" or kind == "inner"))
        return list(self._gathered(spans)) if kind == "element" else spans

    def _gathered(self, rows: Sequence[Atom]) -> Iterator[Atom]:
        """Join the rows of a table into pieces that are well filled.

        Within reach, the cut goes where the hash of what follows is the least: soon after an edit, the cuts are the
        same as before.
        """
        first = 0
        while first < len(rows):
            following = self._next_cut(rows, first)
            yield rows[first]._replace(end=rows[following - 1].end) if following > first + 1 else rows[first]
            first = following

    def _next_cut(self, rows: Sequence[Atom], first: int) -> int:
        """Return the index of the row that the next piece starts with."""
        start, end = rows[first].start, rows[-1].end
        if end - start <= self._most:
            return len(rows)
        least, most = self._reach(start, end)
        best, lowest = first + 1, 1 << 32
        for i in range(first + 1, len(rows)):
            row = rows[i]
            if row.start > most:
                break
            rank = self._rank(row.start) if row.start >= least else lowest
            if not row.is_glued and rank <= lowest:
                best, lowest = i, rank
        return best

    def _cut_between(self, left: OutlineNode, right: OutlineNode) -> int:
        """Return where to part two siblings: behind the line end after the left one, else before the right one."""
        text = self._text
        if left.end and text[left.end - 1] in b"\r\n":
            return self._settled(left.end)
        if self._has_cr:
            newline = _NEWLINE.search(text, left.end, right.start)
            return self._settled(newline.end() if newline else right.start)
        return text.find(b"\n", left.end, right.start) + 1 or self._settled(right.start)

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
        if right.kind == "clause" or left.kind in _LEADING or self._text[cut - 1] not in b"\r\n":
            return True
        if left.kind == "comment":
            between = self._text[left.end - 1 : right.start]
            newlines = len(_NEWLINE.findall(between)) if self._has_cr else between.count(b"\n")
            return newlines < 2 and self._is_blank_before(left.start)
        return left.kind == right.kind == "import"

    def _is_blank_before(self, offset: int) -> bool:
        return not self._text[self._line_start(offset) : offset].strip()

    def _line_start(self, offset: int) -> int:
        """Return where the line starts, or where looking back ends: one line may be the whole file."""
        furthest = max(offset - LOOK_BACK_BYTES, 0)
        newline = self._text.rfind(b"\n", furthest, offset)
        if self._has_cr:
            newline = max(newline, self._text.rfind(b"\r", furthest, offset))
        return max(newline + 1, furthest)

    def _pieces(self, span: Atom) -> Iterator[Atom]:
        """Cut a span that is not parted: the text before the node, the node, the text after it."""
        start, end = self._own_span(span)
        depth, level, is_glued = span.depth, span.level, span.is_glued
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
        """Cut a paragraph between lines where it is above the limit, and a line only where it is."""
        start, end, depth, level, is_glued, _, _ = paragraph
        while end - start > self._limit:
            cut = self._line_cut(start, end)
            is_inside = not cut
            if is_inside:
                cut = self._character_cut(start)
            yield Atom(start, cut, depth + 1, level, is_glued)
            start, level, is_glued = cut, depth + 1 + is_inside, is_inside
        yield Atom(start, end, depth + 1 - (start == paragraph.start), level, is_glued)

    def _line_cut(self, start: int, end: int) -> int:
        """Return where the line starts that the next piece starts with; 0 where the first line is above the limit."""
        text = self._text
        least, most = self._reach(start, end)
        cuts = [newline.end() for newline in _NEWLINE.finditer(text, least, most)]
        if cuts and text[cuts[-1] - 1 : cuts[-1] + 1] == b"\r\n":
            cuts.pop()
        if cuts:
            return min(cuts, key=self._rank)
        before = max(text.rfind(b"\n", start, least), text.rfind(b"\r", start, least - 1)) + 1
        return before if before > start else 0

    def _character_cut(self, start: int) -> int:
        """Return where to cut inside a line: behind a space in the second half of a piece, else between characters."""
        text, limit = self._text, self._limit
        cut = text.rfind(b" ", start + limit // 2, start + limit) + 1
        if not cut:
            cut = start + limit
            if text[cut] == 0x0A and text[cut - 1] == 0x0D:
                cut -= 1
            while text[cut] & 0xC0 == 0x80:
                cut -= 1
        return cut

    def _reach(self, start: int, end: int) -> tuple[int, int]:
        """Return between which offsets the next cut should be, where more is left than one piece takes."""
        least = start + int(self._limit * LEAST_SHARE)
        return least, max(min(start + self._most, end - int(self._limit * REST_SHARE)), least)

    def _rank(self, cut: int) -> int:
        """Return how good a cut is, the lower the better: by what follows it, so that edits before it do not count."""
        return crc32(self._text[cut : cut + RANK_BYTES])


def _next_siblings(nodes: Sequence[OutlineNode]) -> list[int]:
    """Return for each node of a pre-order sequence the index of its next sibling, 0 where there is none."""
    following = [0] * len(nodes)
    latest: list[int] = []  # of those that are still open, by their depth
    deepest = -1
    for i, node in enumerate(nodes):
        depth = node.depth
        if depth > deepest:
            latest += [i] * (depth - deepest)
        else:
            following[latest[depth]] = i
            latest[depth] = i
            if depth < deepest:
                del latest[depth + 1 :]
        deepest = depth
    return following
