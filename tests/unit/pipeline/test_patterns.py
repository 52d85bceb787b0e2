"""No regular expression of the domain takes time with the square of the text that it is used on."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path
from time import thread_time
from typing import Any

import pipeline
from pipeline.parse.facts_tables import TABLES
from pipeline.parse.languages import LANGUAGES

#: The head of a file that is looked at for its language; what is only ever used on less is linear all the same.
SIZE = 8_192
#: The worst takes 0.01. With the square of the size it would be 0.1 and more, with its cube minutes.
SECONDS = 0.06
TRIES = 3

#: What it reads comes with the grammars.
TRUSTED = frozenset({"pipeline.parse.facts_query"})

METHODS = frozenset({"match", "fullmatch", "search", "sub", "split", "findall", "finditer"})
PIECES = (" ", "\t", "\n", "\r", "*", "/", '"', "'", "<", ">", "-", "=", ":", ".", "\\", '\\"', "#", "a", "1", "é")
#: What is no text in a regular expression: classes, references to what is around, groups, counts.
SYNTAX = re.compile(r"\\x..|\\[bswdSWDAZtrn]|\(\?[:=!<>]*|\{[\d,]*\}|(?<!\\)[][()|^$+*?.{}]")


def uses() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Yield the patterns of all modules, each with its name and the method that is called."""
    for found in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if ".testing" in found.name or found.name in TRUSTED:
            continue
        module = import_module(found.name)
        patterns = {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}
        tree = ast.parse(Path(str(module.__file__)).read_bytes()) if patterns else ast.Module([], [])
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in patterns:
                yield f"{found.name}.{node.value.id}", patterns[node.value.id], node.attr
    yield from uses_of_tables()


def uses_of_tables() -> Iterator[tuple[str, re.Pattern[Any], str]]:
    """Yield those that languages bring with them."""
    for language in LANGUAGES.values():
        for number, unread in enumerate(language.unread):
            yield f"{language.name}.unread[{number}]", unread, "sub"
        if language.preludes is not None:
            yield f"{language.name}.preludes", language.preludes, "match"
        if language.exports is not None:
            yield f"{language.name}.exports", language.exports, "fullmatch"
    for name, table in TABLES.items():
        yield f"{name}.name", table.name, "match"
        if table.group is not None:
            yield f"{name}.group", table.group, "fullmatch"


def probes(pattern: re.Pattern[Any]) -> Iterator[str]:
    """Yield texts of what the pattern itself looks for, and of blanks and brackets, again and again."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    own = list(dict.fromkeys(word.replace("\\", "") for word in SYNTAX.sub(" ", source).split()))[:16]
    rows = [" ".join(own[at : at + size]) for at in range(len(own)) for size in (2, 3)]
    units = [*PIECES, *own, *rows, *map("".join, product(own, PIECES)), *map("".join, product(PIECES, own))]
    for opening in ("", *own, *(f"{word} " for word in own)):
        for unit in (*PIECES, *own) if opening else units:
            yield opening + unit * (SIZE // len(unit)) + "\0"


def seconds(use: Callable[[], Any]) -> float:
    began = thread_time()
    use()
    return thread_time() - began


def use_of(pattern: re.Pattern[Any], method: str, text: str) -> Callable[[], Any]:
    subject: Any = text if isinstance(pattern.pattern, str) else text.encode()
    if method == "sub":
        return partial(pattern.sub, subject[:0], subject)
    # An iterator has done nothing yet.
    return partial(pattern.findall if method == "finditer" else getattr(pattern, method), subject)


def test_every_pattern_takes_time_that_grows_with_the_text() -> None:
    known = {(name, method): pattern for name, pattern, method in uses()}
    assert len(known) > 50
    assert {method for _, method in known} <= METHODS
    for (name, method), pattern in known.items():
        for text in probes(pattern):
            use = use_of(pattern, method, text)
            # Whoever else is at work may hold up one try.
            slow = seconds(use) > SECONDS and min(seconds(use) for _ in range(TRIES)) > SECONDS
            assert not slow, (name, method, text[:40])
