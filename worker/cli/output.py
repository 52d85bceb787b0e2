"""What commands print: results to stdout, everything else to stderr; JSON only where it was asked for."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
from datetime import datetime
from typing import Any
from uuid import UUID


def never_fail_on_a_character() -> None:
    """Make both streams escape what their encoding does not know, instead of ending in the middle of a report."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(value: Any) -> None:
    """Print a value as JSON; dataclasses become objects, ids and times strings."""
    # Elsewhere an escape of ours would not be one of JSON's.
    is_unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    print(json.dumps(value, default=_plain, indent=2, ensure_ascii=not is_unicode))


def printable(text: str) -> str:
    """Return a text that stays on its line and shows what it is: control characters are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def note(message: str) -> None:
    """Print a line for people, beside the results."""
    print(message, file=sys.stderr, flush=True)


def result(message: str) -> None:
    """Print a line of the result."""
    print(message)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
