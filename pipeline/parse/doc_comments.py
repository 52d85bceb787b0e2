"""Find the first line of what documents a definition: a string at the top of its body, or the comment before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.facts import Span
from pipeline.types import OutlineNode

#: Lines of a comment that are searched for words; an opening ``/**`` and a ``<summary>`` have none.
_MAX_LINES = 5
#: Nodes before a definition that are looked at; a comment of single lines may have one each.
_MAX_COMPANIONS = 64
_COMPANIONS = frozenset({"comment", "decorator"})
#: White space before a comment that is looked at: one line may be the whole file.
_LOOK_BACK_BYTES = 256

_STRING = re.compile(rb"\w{0,2}(\"\"\"|'''|\"|')\\?\s*([^\r\n]*)")
_COMMENT_LINE = re.compile(rb"\s*(?:///?!?|/\*+!?|\*(?!/)|#+)?[ \t]*(?:</?\w+>)?[ \t]*([^\r\n]*)(?:\r\n?|\n)?")
#: No white space of ASCII is above it.
_LAST_SPACE = 0x20
#: What a line of a comment begins with that is said to a tool.
_DIRECTIVE = re.compile(
    rb"go:[a-z]|\+build\b|nolint\b|NOLINT|NOSONAR\b|clang-format o(?:n|ff)\b|prettier-ignore\b|noinspection\b"
    rb"|(?:es|ox|style|ts|swift|kt|py)lint[-: ] ?(?:disable|enable|env|ignore)"
    rb"|(?:biome|cspell|codespell|jshint|phpcs|phpstan|psalm|rubocop|spell-checker|standard)[-: ]"
    rb"(?:disable|enable|ignore|suppress|todo)"
    rb"|(?:istanbul|c8|v8) ignore\b|@(?:ts|phpstan|psalm)-|@formatter:|@vite-ignore|webpack[A-Z]\w+:"
    rb"|shellcheck [a-z-]+=|frozen_string_literal:|typed: \w+$|:no(?:doc|cov):|type: ignore|noqa\b|pragma: no"
    rb"|(?:CHECKSTYLE|checkstyle)[:. ](?i:o(?:n|ff))\b|ReSharper (?:disable|restore)|<inheritdoc\b|\{@inherit[Dd]oc\}$"
    rb"|vim?: *set? |-\*-"
)
_WORD = re.compile(rb"[^\W_]|[\x80-\xff]")
_BLANKS = b" \t"
_WORD_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def string_line(data: bytes, string: Span) -> Span | None:
    """Return the first line of a string's text, without its quotes; None if it is blank."""
    match = _STRING.match(data, *string)
    if match is None:
        return None
    start, end = match.span(2)
    # Most strings go on behind a line that ends with no white space.
    if start < end < string[1] and data[end - 1] > _LAST_SPACE:
        return start, end
    line = data[start:end].rstrip()
    if match.end() == string[1]:
        line = line.removesuffix(match[1]).rstrip()
    return (start, start + len(line)) if line else None


def comment_line(data: bytes, nodes: Sequence[OutlineNode], at: int, openers: tuple[bytes, ...]) -> Span | None:
    """Return the first line with words of the comment directly before a node; decorators may stand between them.

    Only a comment that begins a line with one of ``openers`` documents something, and one that begins with a tag
    (``@param``) has no line of its own.
    """
    if not at or nodes[at - 1].kind not in _COMPANIONS:
        return None
    below, comments = nodes[at].start, []
    for node in reversed(nodes[max(at - _MAX_COMPANIONS, 0) : at]):
        if node.kind not in _COMPANIONS or not _touch(data, node.end, below):
            break
        if node.kind == "comment":
            if not _begins_line(data, node.start):
                break
            if data.startswith(openers, node.start):
                comments.append((node.start, node.end))
            elif not _is_directive(data, node):
                break
        below = node.start
    return _first_words(data, comments)


def first_above(data: bytes, nodes: Sequence[OutlineNode], first: int, start: int) -> int:
    """Return the index, ``first`` at least, of the first of the last comments, directly above an offset."""
    at = len(nodes)
    while at > first and nodes[at - 1].kind == "comment":
        begin, end = nodes[at - 1][:2]
        if not _touch(data, end, start) or not _begins_line(data, begin):
            break
        start = begin
        at -= 1
    return at


def _touch(data: bytes, upper_end: int, lower_start: int) -> bool:
    """Tell whether there is nothing between two pieces of text, and no blank line either."""
    between = data[upper_end:lower_start]
    # The comments of some grammars include the end of their line.
    newlines = between.count(b"\n") + (data[upper_end - 1 : upper_end] == b"\n")
    return not between.strip() and newlines <= 1


def _begins_line(data: bytes, start: int) -> bool:
    furthest = max(start - _LOOK_BACK_BYTES, 0)
    line = max(data.rfind(b"\n", furthest, start) + 1, furthest)
    return not data[line:start].strip() and not data.startswith(b"#!", start)


def _first_words(data: bytes, comments: Sequence[Span]) -> Span | None:
    """Return the first line with words of the comments, which stand here from the last one to the first."""
    lines = _MAX_LINES
    for start, end in reversed(comments):
        at = start
        while at < end and lines:
            match = _COMMENT_LINE.match(data, at, end)
            if match is None or match.end() == at:
                break
            lines -= 1
            at, line = match.end(), _without_end(match[1])
            if _DIRECTIVE.match(line):
                continue
            if line.startswith(b"@"):
                return None
            if _WORD.search(line):
                return match.start(1), match.start(1) + len(line)
    return None


def _is_directive(data: bytes, comment: OutlineNode) -> bool:
    match = _COMMENT_LINE.match(data, comment.start, comment.end)
    return match is not None and _DIRECTIVE.match(_without_end(match[1])) is not None


def _without_end(line: bytes) -> bytes:
    """Return a line of a comment without what closes the comment or its tag, and without blanks at its end."""
    line = line.rstrip(_BLANKS)
    if line.endswith(b"*/"):
        return line[:-1].rstrip(b"*").rstrip(_BLANKS)
    if line.endswith(b">"):
        # The regular expression for this takes time with the square of the length, or its cube.
        words, opening, tag = line[:-1].rpartition(b"</")
        if opening and tag and not tag.strip(_WORD_BYTES):
            return words.rstrip(_BLANKS)
    return line
