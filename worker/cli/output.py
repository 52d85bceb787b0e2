"""What commands print: results to stdout, everything else to stderr; JSON only where it was asked for."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import datetime
from typing import Any
from uuid import UUID

from rich.console import Console

#: For people, beside the results.
notes = Console(stderr=True, highlight=False, soft_wrap=True)
#: For results.
results = Console(highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON; dataclasses become objects, ids and times strings."""
    json.dump(value, sys.stdout, default=_plain, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def printable(path: str) -> str:
    """Return a path that stays on its line: control characters are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in path)


def note(message: str) -> None:
    """Print a line for people."""
    notes.print(message, markup=False)


def result(message: str) -> None:
    """Print a line of the result."""
    results.print(message, markup=False)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
