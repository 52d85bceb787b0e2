"""The sources that chunking is measured on: the standard library, and files of other languages.

Files that come with the interpreter and its installed packages are not the same on two machines, and of some
languages there are none, so every language also has a module that is made here: its functions are put together from
a few statements each, in an order that a seed decides.
"""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from benchmarks.chunk_truth import TYPES
from benchmarks.corpus import LEFT_OUT, standard_library
from pipeline.errors import IngestError
from pipeline.parse.decode import decode
from pipeline.parse.languages import detect_language, grammar_of
from pipeline.traits import Trait, traits_of

#: Files of a language that are taken from what is installed, and how large each may be.
_INSTALLED_FILES = 200
_INSTALLED_BYTES = 400_000

#: Nobody wrote such files, so the ends of their statements say nothing of how well code is cut.
_NOT_WRITTEN = {Trait.MINIFIED, Trait.GENERATED}

_SAMPLES = Path(__file__).parent / "samples"
_MODULES, _FUNCTIONS = 6, 60


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its path in its corpus, its language and its text in UTF-8."""

    path: str
    language: str
    text: bytes


def standard_sources() -> list[Source]:
    """Return the standard library's Python files, without its tests and without installed packages."""
    return [source for source in sources_in(standard_library(), LEFT_OUT) if source.language == "python"]


def installed_sources() -> list[Source]:
    """Return files of the other languages that come with the interpreter and its packages, and that a person wrote."""
    taken: dict[str, list[Source]] = {}
    for place in (sysconfig.get_path("purelib"), sysconfig.get_path("include")):
        for source in written_sources(Path(place)):
            same = taken.setdefault(source.language, [])
            if source.language != "python" and len(same) < _INSTALLED_FILES:
                same.append(source)
    return [source for language in sorted(taken) for source in taken[language]]


def written_sources(root: Path, *, with_tests: bool = True) -> list[Source]:
    """Return the files below a directory that a person wrote: none that is generated or minified."""
    found = sources_in(root, frozenset({"node_modules"}))
    left_out = _NOT_WRITTEN if with_tests else _NOT_WRITTEN | {Trait.TEST}
    return [source for source in found if not traits_of(source.path, source.text) & left_out]


def sampled(sources: Sequence[Source], most_bytes: int) -> list[Source]:
    """Return as many files as have so many bytes together, whichever a hash of their paths puts first."""
    sample, size = [], 0
    for source in sorted(sources, key=lambda source: crc32(source.path.encode())):
        size += len(source.text)
        if size <= most_bytes:
            sample.append(source)
    return sample


def made_sources() -> list[Source]:
    """Return the modules that are made from ``benchmarks/samples``."""
    return [
        Source(f"made/{template.stem}_{number}{template.suffix}", language, _made(template.read_text(), number))
        for template in sorted(_SAMPLES.iterdir())
        if (language := detect_language(template.name, b"")) in TYPES and grammar_of(language) is not None
        for number in range(_MODULES)
    ]


def sources_in(root: Path, left_out: frozenset[str] = frozenset()) -> Iterator[Source]:
    """Yield the files below a directory that are in a language to be measured, in order of their paths."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if left_out.intersection(relative.parts[:-1]) or detect_language(path.name, b"") not in TYPES:
            continue
        if path.is_file() and 0 < path.stat().st_size <= _INSTALLED_BYTES * 10:
            try:
                text = decode(path.read_bytes()).data
            except IngestError:
                continue
            language = detect_language(path.name, text)
            if language in TYPES and grammar_of(language) is not None:
                yield Source(relative.as_posix(), language, text)


def by_language(sources: list[Source]) -> Mapping[str, list[Source]]:
    """Return the sources of each language."""
    found: dict[str, list[Source]] = {}
    for source in sources:
        found.setdefault(source.language, []).append(source)
    return found


def _made(template: str, number: int) -> bytes:
    """Return a module put together from a template.

    The template's parts are parted by lines that hold ``%%``: head, opening of a function, statements parted by blank
    lines, closing of a function, tail. ``NN`` is a number that differs everywhere.
    """
    head, opening, statements, closing, tail = re.split(r"^%%\n", template, flags=re.MULTILINE)
    rng = random.Random(number)
    pieces = [head]
    for function in range(_FUNCTIONS):
        body = [rng.choice(statements.strip("\n").split("\n\n")) for _ in range(rng.choice((1, 2, 3, 4, 6, 9, 16, 30)))]
        pieces.append(_numbered(opening + "\n".join(body) + "\n" + closing, number * 10_000 + function * 100))
    return _numbered("".join([*pieces, tail]), number).encode()


def _numbered(text: str, first: int) -> str:
    parts = text.split("NN")
    return "".join(part + (str(first + i) if i < len(parts) - 1 else "") for i, part in enumerate(parts))
