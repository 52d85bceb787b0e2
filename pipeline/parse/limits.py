"""What a parser is not given, and when it is stopped: measures against files that would take a worker down.

Syntax trees of real files are cheap. Some that nobody wrote are not: recovering from thousands of brackets that are
never closed takes memory with the square of their number, in a single step that no callback interrupts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import accumulate
from resource import RUSAGE_SELF, getrusage

from pipeline.parse.languages import Language

#: Brackets of one kind that are still open at the end. 1,000 of them take up to 400 MB, 4,000 take 5 GB.
MAX_UNCLOSED = 1_000

#: How much the process may grow during one parse: a base, so much for each byte, and no more than the last. Trees of
#: ordinary files take 20 to 80 bytes a byte; those of made ones whose every statement is one letter 470 in the worst
#: grammar (Ruby); a C++ file of nothing but ``A<`` would take 3,000.
BASE_GROWTH_BYTES = 48 * 1024 * 1024
GROWTH_PER_BYTE = 450
MAX_GROWTH_BYTES = 1024 * 1024 * 1024

#: A look takes 6 µs, so not every call is worth one.
CALLS_A_LOOK = 4

_PAGE_BYTES = 4_096
_STATM = "/proc/self/statm"
_STATM_BYTES = 256

_BRACKETS = (b"()", b"[]", b"{}")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"".join(_BRACKETS)))
_ALL_BUT = {pair: bytes(each for each in range(256) if each not in pair) for pair in (*_BRACKETS, b"<>")}
_ALL_BUT_ANGLES_AND_ENDS = bytes(each for each in range(256) if each not in b"<>;{}")
_STATEMENT_END = re.compile(rb"[;{}]+")
#: Levels of brackets that are taken away at once, before they are counted one by one; real files have few more.
_CLOSINGS = 32
_LINE_START = re.compile(rb"^[ \t]*(?=\S)", re.MULTILINE)
_BLOCK_MARK = re.compile(rb"(?<!\S)[-?:](?!\S)")
_NEWLINE = re.compile(rb"\r\n|\r|\n")


def is_too_much(data: bytes, language: Language) -> bool:
    """Tell whether a text must not be given to the language's grammar."""
    if len(data) > language.max_bytes:
        return True
    # To read the text once, not once for every kind, saves a hundredth of a parse.
    brackets = data.translate(None, _ALL_BUT_BRACKETS)
    if any(leaves_open(brackets, pair, MAX_UNCLOSED) for pair in _BRACKETS):
        return True
    if language.max_angles and leaves_open(data, b"<>", language.max_angles):
        return True
    if language.max_angles_a_statement and any(
        leaves_open(statement, b"<>", language.max_angles_a_statement) for statement in _statements(data)
    ):
        return True
    return bool(language.max_nesting) and nests_deeper(data, language.max_nesting)


def _statements(data: bytes) -> Sequence[bytes]:
    """Return what is between braces and semicolons, of which only the angle brackets are left."""
    return _STATEMENT_END.split(data.translate(None, _ALL_BUT_ANGLES_AND_ENDS))


def leaves_open(data: bytes, pair: bytes, limit: int) -> bool:
    """Tell whether more than ``limit`` brackets of a kind are never closed, wherever they stand."""
    if data.count(pair[0]) <= limit:
        return False
    brackets = data.translate(None, _ALL_BUT[pair])
    for _ in range(_CLOSINGS):
        brackets = brackets.replace(pair, b"")
        if brackets.count(pair[0]) <= limit:
            return False
    depths = list(accumulate((1 if bracket == pair[0] else -1 for bracket in brackets), initial=0))
    return depths[-1] - min(depths) > limit


def growth_allowed(size: int) -> int:
    """Return how many bytes the process may grow by to parse so many."""
    return min(MAX_GROWTH_BYTES, BASE_GROWTH_BYTES + GROWTH_PER_BYTE * size)


class Growth:
    """How much the process grows from here on."""

    def __init__(self, limit: int) -> None:
        self._most = _resident_bytes() + limit
        self._peak = _peak()
        self._calls = 0

    def is_too_much(self) -> bool:
        """Tell whether it is above the limit. Below its own peak the process is only looked at now and then."""
        peak = _peak()
        self._calls += 1
        if peak == self._peak and self._calls % CALLS_A_LOOK:
            return False
        self._peak = peak
        return _resident_bytes() > self._most


def _peak() -> int:
    return getrusage(RUSAGE_SELF).ru_maxrss


def _resident_bytes() -> int:
    # Twice as fast as a file object, and read for every file.
    statm = os.open(_STATM, os.O_RDONLY)
    try:
        return int(os.read(statm, _STATM_BYTES).split()[1]) * _PAGE_BYTES
    finally:
        os.close(statm)


def nests_deeper(data: bytes, limit: int) -> bool:
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
