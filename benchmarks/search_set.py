"""Questions with known answers: what a function's docstring says, cut out of the code, has to find the function.

The docstrings of all functions are cut out of the files, so that no chunk holds the query's own words by quoting it;
those of modules and classes stay. Files are taken in the order of a hash of their path, which is a fair sample and the
same on every machine with the same files.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

#: How many queries make a set, and how many words make a query.
QUERIES = 787
MIN_WORDS = 4

#: Directories that hold no code of the product, or other products.
_LEFT_OUT = frozenset({"site-packages", "dist-packages", "test", "tests", "testing", "idle_test", "__pycache__"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file without its functions' docstrings."""

    path: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask for, and where the answer is: ``files[file].text[start:end]``."""

    text: str
    file: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SearchSet:
    """Files to index and queries to ask."""

    name: str
    files: tuple[SourceFile, ...]
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class _Function:
    """A function's span and its docstring's, decorators and whole lines included."""

    start: int
    end: int
    doc_start: int
    doc_end: int
    docstring: str


def python_files(root: Path) -> list[tuple[str, Path]]:
    """Return the Python files below ``root`` with their paths relative to its parent, in sampling order."""
    found = [
        (path.relative_to(root.parent).as_posix(), path)
        for path in root.rglob("*.py")
        if not _LEFT_OUT.intersection(path.relative_to(root).parts[:-1])
    ]
    return sorted(found, key=lambda item: sha256(item[0].encode()).digest())


def search_sets(name: str, files: Iterable[tuple[str, Path]], count: int = 1) -> Iterator[SearchSet]:
    """Yield ``count`` sets of 787 queries, no file in two of them; a set is smaller where the files end before."""
    remaining = iter(files)
    for number in range(1, count + 1):
        yield _next_set(name if count == 1 else f"{name} {number}", remaining)


def without_docstrings(data: bytes) -> tuple[bytes, list[tuple[str, int, int]]] | None:
    """Return a module without its functions' docstrings, and (docstring, start, end) of the functions that had one.

    A function stays as it is where nothing but the docstring is in it, or something else stands on the docstring's
    lines. None: it is no UTF-8, or no Python of this interpreter's version.
    """
    try:
        data.decode()
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return None
    functions = sorted(_functions(tree, data), key=lambda function: function.doc_start)
    starts = [function.doc_start for function in functions]
    gone = [0, *accumulate(function.doc_end - function.doc_start for function in functions)]

    def moved(offset: int) -> int:
        # No function begins or ends inside a docstring.
        return offset - gone[bisect_right(starts, offset - 1)]

    kept, position = [], 0
    for function in functions:
        kept.append(data[position : function.doc_start])
        position = function.doc_end
    spans = [(function.docstring, moved(function.start), moved(function.end)) for function in functions]
    return b"".join((*kept, data[position:])), spans


def first_paragraph(docstring: str) -> str:
    """Return a docstring's first paragraph on one line."""
    return " ".join(docstring.strip().split("\n\n", 1)[0].split())


def _next_set(name: str, remaining: Iterator[tuple[str, Path]]) -> SearchSet:
    files: list[SourceFile] = []
    queries: list[Query] = []
    for path, place in remaining:
        cut = without_docstrings(place.read_bytes())
        if cut is None:
            continue
        text, functions = cut
        for docstring, start, end in functions:
            paragraph = first_paragraph(docstring)
            if len(paragraph.split()) >= MIN_WORDS:
                queries.append(Query(paragraph, len(files), start, end))
        files.append(SourceFile(path, text))
        if len(queries) >= QUERIES:
            break
    return SearchSet(name, tuple(files), tuple(queries[:QUERIES]))


def _functions(tree: ast.Module, data: bytes) -> Iterator[_Function]:
    lines = [0, *accumulate(map(len, data.splitlines(keepends=True)))]
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or len(node.body) < 2:
            continue
        docstring = ast.get_docstring(node)
        expression, following = node.body[:2]
        first, last = expression.lineno, expression.end_lineno or expression.lineno
        shares_lines = following.lineno <= last or data[lines[first - 1] :][: expression.col_offset].strip()
        if docstring and not shares_lines:
            start = min(node.lineno, *(decorator.lineno for decorator in node.decorator_list), node.lineno)
            end = node.end_lineno or node.lineno
            yield _Function(lines[start - 1], lines[end], lines[first - 1], lines[last], docstring)
