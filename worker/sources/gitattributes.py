"""Read what a repository declares of its files in `.gitattributes`: generated, vendored, documentation, or not.

These are the attributes that hosting services take from Linguist. Lines are read and matched as git does it: the last
matching line of a file wins, for each attribute by itself; the deepest file that has an opinion wins; and a pattern
speaks of files only, never of what is below a directory (`docs/** linguist-documentation`). `!linguist-generated`
leaves a file to what it looks like. Macros are not expanded, and `.git/info/attributes` and a user's own file are not
read, so that every machine sees the same source.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pipeline.traits import NOTHING_DECLARED, Declared, Trait
from worker.sources.gitignore import Layers, Rules, expression_for, read_bounded, read_quietly, repository_around
from worker.sources.wildmatch import MalformedGlob

ATTRIBUTES_FILE = ".gitattributes"

_TRAITS = {
    b"linguist-generated": Trait.GENERATED,
    b"linguist-vendored": Trait.VENDORED,
    b"linguist-documentation": Trait.DOCUMENTATION,
}

#: Git does not read longer lines (bytes).
_LINE_BYTES = 2_048

_MACRO = b"[attr]"
_BLANKS = b" \t\r\n"
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPED = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class _Claim(Enum):
    """What a line says of one attribute."""

    SET = "set"
    UNSET = "unset"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class AttributeRules:
    """The rules of one attributes file, for each trait that any of its lines speaks of."""

    by_trait: tuple[tuple[Trait, Rules[_Claim]], ...]


class Attributes(Layers[AttributeRules]):
    """What the attributes files around a directory declare of its files."""

    __slots__ = ()

    def of(self, name: bytes) -> Declared:
        """Return what is declared of a file in the directory."""
        if not self.layers:
            return NOTHING_DECLARED
        claims: dict[Trait, _Claim] = {}
        for layer, way in self.layers:
            for trait, rules in layer.by_trait:
                claim = None if trait in claims else rules.verdict(name + b"\0" + way + name)
                if claim is not None:
                    claims[trait] = claim
        if not claims:
            return NOTHING_DECLARED
        return Declared(
            frozenset(trait for trait, claim in claims.items() if claim is _Claim.SET),
            frozenset(trait for trait, claim in claims.items() if claim is _Claim.UNSET),
        )


def parse_attributes(data: bytes) -> AttributeRules | None:
    """Compile an attributes file's content, whatever its bytes; None where it speaks of nothing that matters here."""
    found: dict[Trait, list[tuple[bytes, _Claim]]] = {}
    for line in reversed(data.removeprefix(b"\xef\xbb\xbf").split(b"\n")):
        glob, words = _parts(line)
        # Later words of a line win, and so do later lines.
        claims = dict(_claims(words))
        if not claims or glob.startswith((b"!", _MACRO)) or glob.endswith(b"/"):
            continue
        try:
            expression = expression_for(glob)
        except MalformedGlob:
            continue
        for trait, claim in claims.items():
            found.setdefault(trait, []).append((expression, claim))
    rules = tuple((trait, Rules.of(found[trait])) for trait in Trait if trait in found)
    return AttributeRules(rules) if rules else None


def read_attributes(dir_fd: int) -> AttributeRules | None:
    """Read the attributes file in an open directory. None: there is none, or it is a link or no file.

    Raises:
        OSError: It is there and cannot be read.
        TooLarge: It has more than `gitignore.MAX_IGNORE_BYTES`.
    """
    data = read_bounded(dir_fd, ATTRIBUTES_FILE)
    return None if data is None else parse_attributes(data)


def attributes_above(root: Path) -> Attributes:
    """Return the rules that an enclosing git repository lays on ``root`` (absolute, no links), but not root's own."""
    here = repository_around(root)
    attributes = Attributes()
    if here is None:
        return attributes
    for name in root.relative_to(here).parts:
        data = read_quietly(here, ATTRIBUTES_FILE)
        attributes = attributes.under(None if data is None else parse_attributes(data)).below(os.fsencode(name))
        here /= name
    return attributes


def _parts(line: bytes) -> tuple[bytes, list[bytes]]:
    """Return a line's pattern and what it says; empty where it is blank, a comment, or too long."""
    line = line.partition(b"\0")[0].strip(_BLANKS)
    if len(line) > _LINE_BYTES or line.startswith(b"#"):
        return b"", []
    quoted = _QUOTED.match(line)
    if quoted:
        return _ESCAPE.sub(_unescaped, quoted[1]), line[quoted.end() :].split()
    glob, *words = line.split() or [b""]
    return glob, words


def _unescaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 0xFF]) if code.isdigit() and len(code) == 3 else _ESCAPED.get(code, code)


def _claims(words: list[bytes]) -> Iterator[tuple[Trait, _Claim]]:
    for word in words:
        name, equals, value = word.lstrip(b"-!").partition(b"=")
        trait = _TRAITS.get(name)
        if trait is None:
            continue
        if word.startswith(b"!"):
            yield trait, _Claim.UNSPECIFIED
        elif word.startswith(b"-") or (equals and value.lower() == b"false"):
            yield trait, _Claim.UNSET
        else:
            yield trait, _Claim.SET
