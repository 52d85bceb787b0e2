"""Join a file's facts to its chunks: what people want to know of a search result beyond its text.

Nothing of it is part of what is embedded, and a change of it alone is only a new row in the ledger.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from pipeline.chunk_labels import Label
from pipeline.facts import ChunkFacts, DefinitionFacts, Span
from pipeline.parse.facts import MAX_IMPORTS
from pipeline.parse.facts_query import table_of
from pipeline.types import Outline

#: Characters of one word or line.
MAX_WORDS = 160
#: Enough bytes for them, whatever the white space.
_LINE_BYTES = 8 * MAX_WORDS
#: Names of one chunk that are kept.
MAX_REFERENCES = 64

#: Comments among names, and what else belongs to none of them.
_BETWEEN_NAMES = re.compile(r"(?://|#)[^\r\n]*|/\*.*?(?:\*/|\Z)|[(){};]", re.DOTALL)
_NAMED_ANEW = re.compile(r"\sas\s.*", re.DOTALL | re.IGNORECASE)
_NOTHING = DefinitionFacts()

#: Doc, parameters, return type, decorators and complexity of a definition.
_About: TypeAlias = tuple[str, tuple[str, ...], str, tuple[str, ...], int]


def describe_chunks(
    text: bytes, outline: Outline, ends: Sequence[int], labels: Sequence[Label]
) -> Iterator[ChunkFacts | None]:
    """Yield what is known of each chunk, where chunk ``i`` is ``text[ends[i - 1]:ends[i]]``; None without facts."""
    facts, table = outline.facts, table_of(outline.language)
    if facts is None or table is None:
        yield from (None for _ in labels)
        return
    # The parents are nodes of the outline themselves, so that it is enough to ask which one it is.
    nodes = outline.nodes
    known = {id(nodes[i]): each for i, each in facts.definitions.items()}
    parts = Counter([id(label.parent) for label in labels])
    part = dict.fromkeys(parts, 0)
    about: dict[int, _About] = {}
    start = at = 0
    for end, label in zip(ends, labels, strict=True):
        after = bisect_left(facts.references, end, at)
        references = _names(text, facts.references[at:after], end, label.defines, table.name)
        has_error = bool(facts.errors) and bisect_left(facts.errors, start) < bisect_left(facts.errors, end)
        if label.parent is None:
            yield ChunkFacts(references=references, has_error=has_error)
        else:
            key = id(label.parent)
            part[key] += 1
            if key not in about:
                about[key] = _words_of(text, known.get(key, _NOTHING))
            names = _qualified(label)
            symbol = table.separator.join(
                [name for name in names if name not in table.silent] if table.silent else names
            )
            yield ChunkFacts(symbol, *about[key], part[key], parts[key], references, has_error)
        start, at = end, after


def imported_modules(text: bytes, outline: Outline) -> tuple[str, ...]:
    """Return the modules that a file imports, as it writes them, each once."""
    table = table_of(outline.language)
    if outline.facts is None or table is None:
        return ()
    modules = _words(text, outline.facts.imports)
    # What names several modules has more words than one.
    if table.group is not None and any(" " in each for each in modules):
        several = (each for span in outline.facts.imports for each in _modules(text, span, table.group))
        modules = tuple(islice(several, MAX_IMPORTS))
    return tuple(dict.fromkeys(modules))


def _modules(text: bytes, span: Span, group: re.Pattern[str]) -> Iterator[str]:
    """Yield the module at a span, or all of those that a statement there names: ``.a`` and ``.b``."""
    several = group.fullmatch(text[span[0] : span[1]].decode("utf-8", "replace"))
    if several is None:
        yield _line(text, span)
        return
    common, names = several[1].strip(), _BETWEEN_NAMES.sub(" ", several[2])
    for name in names.split(","):
        own = _NAMED_ANEW.sub("", name).split()
        if own:
            yield _clipped(common + own[-1].removeprefix("*"))


def _qualified(label: Label) -> list[str]:
    """Return the names from the outermost scope to the definition that the chunk is, or is a part of."""
    names = [node.name for node in label.scope]
    is_part = bool(label.scope) and label.scope[-1] is label.parent
    return names if is_part else [*names, label.name]


def _words_of(text: bytes, facts: DefinitionFacts) -> _About:
    """Return doc, parameters, return type, decorators and complexity."""
    doc = "" if facts.doc is None else _line(text, facts.doc)
    returns = "" if facts.returns is None else _line(text, facts.returns)
    return doc, _words(text, facts.parameters), returns, _words(text, facts.decorators), facts.complexity


def _words(text: bytes, spans: Iterable[Span]) -> tuple[str, ...]:
    return tuple([_line(text, span) for span in spans])


def _line(text: bytes, span: Span) -> str:
    """Return a span on one line, cut where it is long."""
    start, end = span
    return _clipped(text[start : min(end, start + _LINE_BYTES)].decode("utf-8", "replace"))


def _clipped(text: str) -> str:
    words = " ".join(text.replace("\0", "").split())
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 3] + "..."


def _names(
    text: bytes, offsets: Sequence[int], end: int, own: Sequence[str], name: re.Pattern[bytes]
) -> tuple[str, ...]:
    """Return the names at these offsets, each once, but none that the chunk defines itself."""
    name_at = name.match
    distinct = dict.fromkeys([match[0] for offset in offsets if (match := name_at(text, offset, end))])
    for each in own:
        distinct.pop(each.encode(), None)
    if not distinct:
        return ()
    names = b"\n".join(list(distinct)[:MAX_REFERENCES]).decode("utf-8", "replace").split("\n")
    return tuple([each[:MAX_WORDS] for each in names])
