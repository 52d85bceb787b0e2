r"""Translate a gitignore glob into a regular expression that matches exactly what git's own matcher matches.

Globs and paths are bytes, as they are to git: `?` is one byte. Because ignore files come from strangers, no glob may
cost more than a polynomial of small degree: everything between two stars stands in an atomic group, for the earliest
match of a piece is always good enough when a star follows it. (A plain translation of `*a*a*a*a*a*ab` takes 20
seconds for a name of 120 letters.)

Two surprises of git's `wildmatch.c` are kept: a glob's literal beginning is compared first, so that `**` directly
after it counts as the start of a path part; and a malformed bracket makes the whole glob match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_STAR = b"*"
_ANY_DIRECTORIES = b"**/"
_ANYTHING = b"**"
_SLASH = b"/"

_SPECIAL = frozenset(b"*?[\\")

_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"\x21-\x7e",
    b"lower": rb"a-z",
    b"print": rb"\x20-\x7e",
    b"punct": rb"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    b"space": rb" \t\n\v\f\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}


class MalformedGlob(ValueError):
    """The glob can match nothing, as git sees it."""


def translate(glob: bytes, end: bytes) -> bytes:
    """Return a regular expression for ``re.DOTALL`` and ``match``; ``end`` is the expression for the text's end.

    Raises:
        MalformedGlob: A bracket or an escape is not finished.
    """
    literal = next((i for i, byte in enumerate(glob) if byte in _SPECIAL), len(glob))
    parts = [re.escape(glob[:literal])]
    in_star = in_directories = False
    for token in _tokens(glob[literal:]):
        if token in (_STAR, _ANY_DIRECTORIES, _ANYTHING):
            parts.append(b")" * in_star)
            in_star = token == _STAR
            if not in_star:
                parts.append(b")" * in_directories)
                in_directories = True
            parts.append(_OPENINGS[token])
        else:
            parts.append(token)
            if token == _SLASH:
                parts.append(b")" * in_star)
                in_star = False
    return b"".join(parts) + end + b")" * (in_star + in_directories)


_OPENINGS = {_STAR: rb"(?>[^/]*?", _ANY_DIRECTORIES: rb"(?>(?:.*?/)??", _ANYTHING: rb"(?>.*?"}


def _tokens(glob: bytes) -> Iterator[bytes]:
    """Yield stars, slashes, and expressions that match one byte each."""
    at = 0
    while at < len(glob):
        byte = glob[at : at + 1]
        if byte == b"*":
            token, at = _stars(glob, at)
        elif byte == b"?":
            token, at = b"[^/]", at + 1
        elif byte == b"[":
            token, at = _bracket(glob, at + 1)
        elif byte == b"\\":
            if at + 1 == len(glob):
                raise MalformedGlob("a backslash at the end escapes nothing")
            token, at = re.escape(glob[at + 1 : at + 2]), at + 2
        else:
            token, at = re.escape(byte), at + 1
        yield token


def _stars(glob: bytes, start: int) -> tuple[bytes, int]:
    at = start
    while glob[at : at + 1] == b"*":
        at += 1
    stands_alone = (start == 0 or glob[start - 1 : start] == b"/") and (
        at == len(glob) or glob[at : at + 1] == b"/" or glob[at : at + 2] == b"\\/"
    )
    if at - start == 1 or not stands_alone:
        return _STAR, at
    return (_ANY_DIRECTORIES, at + 1) if glob[at : at + 1] == b"/" else (_ANYTHING, at)


def _bracket(glob: bytes, start: int) -> tuple[bytes, int]:
    """Return the expression for the bracket whose content begins at ``start``, and where it ends."""
    at = start
    negated = glob[at : at + 1] in (b"!", b"^")
    at += negated
    first, previous = at, b""
    members: list[bytes] = []
    while at == first or glob[at : at + 1] != b"]":
        byte = glob[at : at + 1]
        if not byte:
            raise MalformedGlob("a bracket is not closed")
        if byte == b"[" and glob[at + 1 : at + 2] == b":" and (named := _named_class(glob, at + 2)):
            member, at = named
            members.append(member)
            previous = b""
        elif byte == b"-" and previous and glob[at + 1 : at + 2] not in (b"", b"]"):
            last, at = _member(glob, at + 1)
            if previous <= last:
                members.append(re.escape(previous) + b"-" + re.escape(last))
            previous = b""
        else:
            previous, at = _member(glob, at)
            members.append(re.escape(previous))
    content = b"".join(members)
    if negated:
        return b"[^/" + content + b"]", at + 1
    return (b"(?!/)[" + content + b"]" if content else b"(?!)"), at + 1


def _member(glob: bytes, at: int) -> tuple[bytes, int]:
    if glob[at : at + 1] == b"\\":
        at += 1
    if at >= len(glob):
        raise MalformedGlob("a bracket is not closed")
    return glob[at : at + 1], at + 1


def _named_class(glob: bytes, start: int) -> tuple[bytes, int] | None:
    """Return the expression for ``[:name:]`` and where it ends, or None where this is no such thing."""
    end = glob.find(b"]", start)
    if end < 0:
        raise MalformedGlob("a bracket is not closed")
    if end == start or glob[end - 1 : end] != b":":
        return None
    name = glob[start : end - 1]
    if name not in _CLASSES:
        raise MalformedGlob("there is no such class of characters")
    return _CLASSES[name], end + 1
