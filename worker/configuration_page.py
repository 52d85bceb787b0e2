"""Write docs/configuration.md from the settings object, so that it cannot say anything else than the code does.

``python -m worker.configuration_page > docs/configuration.md``, or ``make docs``.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from worker.settings import Settings, variable_of

#: A part of the page begins with this field and goes on until the next one of these.
PARTS = {
    "database_url": "Services",
    "embedder": "Embedder",
    "tenant": "What is taken in",
    "lease_seconds": "Recovery and retries",
    "cpu_concurrency": "Processes and logs",
}

_INTRODUCTION = """\
# Configuration

Made from the settings object by `make docs`; change `worker/settings.py` instead of this page.

Everything is set by environment variables. An empty value means "not set". An unknown `MOBIUS_` variable is refused, so
that a misspelt one cannot be ignored, and all bad values are reported at once. `mobius config` prints what is in
effect, `mobius doctor` says whether it works. A secret is never printed.

A variable without the prefix may be given as a file: `DATABASE_URL_FILE=/run/secrets/database_url` stands for
`DATABASE_URL` with the file's one line as its value. Both at once, and a file that is missing or empty, are refused.

The local stack starts the program `qdrant` that `QDRANT_BIN` names, or one on PATH, and its own small engine where
there is none.
"""

_NAMES: dict[Any, str] = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", Path: "path"}

_BOUNDS = {"gt": "above {}", "ge": "from {}", "lt": "below {}", "le": "to {}", "min_length": "length from {}"}


def page() -> str:
    """Return the whole page; it is the same on every machine.

    Raises:
        ValueError: A default is computed and its field does not say how to name it.
    """
    return _INTRODUCTION + "".join(f"{line}\n" for line in _lines())


def _lines() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if name in PARTS:
            yield from ("", f"## {PARTS[name]}", "", "| variable | value | default | meaning |", "|---|---|---|---|")
        cells = (f"`{variable_of(name)}`", _values(field), _default(name, field), field.description or "")
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _values(field: FieldInfo) -> str:
    kinds = [kind for kind in _alternatives(field.annotation) if kind is not types.NoneType]
    if SecretStr in kinds:
        return "text, secret"
    # `PositiveInt | None` keeps its bounds within the alternative, as a field that Pydantic has not merged.
    within = [bound for kind in kinds for more in getattr(kind, "__metadata__", ()) for bound in more.metadata]
    return ", ".join([*map(_kind, kinds), *_bounds([*field.metadata, *within])])


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in {Union, types.UnionType} else (annotation,)


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(kind))
    if get_origin(kind) is Annotated:
        return _kind(get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    return _NAMES.get(kind) or str(getattr(kind, "__name__", kind))


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for bound in metadata:
        for attribute, words in _BOUNDS.items():
            if (limit := getattr(bound, attribute, None)) is not None:
                yield words.format(limit)


def _default(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "default" in extra:
        return str(extra["default"])
    if field.default_factory is not None:
        raise ValueError(f"{name}: its default is computed; name it with json_schema_extra=shown_default('...')")
    return "" if field.default is None else f"`{field.default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
