"""What the files of rules around a directory say of its entries: which are ignored, what is declared of the others."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.errors import TooLarge
from pipeline.plan import Unreadable
from pipeline.traits import Declared
from worker.sources.gitattributes import ATTRIBUTES_FILE, Attributes, attributes_above, read_attributes
from worker.sources.gitignore import IGNORE_FILE, Ignores, read_rules, rules_above
from worker.sources.reading import explain

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class DirectoryRules:
    """The rules that hold in one directory. ``faults`` are its own files of rules that cannot be read, by name."""

    ignored: Ignores = Ignores()  # noqa: RUF009  it is frozen
    attributes: Attributes = Attributes()  # noqa: RUF009  the same
    faults: dict[str, Unreadable] = field(default_factory=dict)

    def below(self, name: bytes) -> DirectoryRules:
        """Return the rules as seen from a subdirectory, before its own files."""
        return DirectoryRules(self.ignored.below(name), self.attributes.below(name))

    def within(self, prefix: bytes, fd: int) -> DirectoryRules:
        """Return these rules with those of the open directory's own files before them."""
        faults: dict[str, Unreadable] = {}
        rules = _read(IGNORE_FILE, read_rules, prefix, fd, faults)
        attributes = _read(ATTRIBUTES_FILE, read_attributes, prefix, fd, faults)
        return DirectoryRules(self.ignored.under(rules), self.attributes.under(attributes), faults)

    def ignores(self, name: bytes, *, is_directory: bool) -> bool:
        """Return whether an entry of the directory is ignored."""
        return self.ignored.ignores(name, is_directory=is_directory)

    def declared(self, name: bytes) -> Declared:
        """Return what is declared of a file in the directory."""
        return self.attributes.of(name)


def top_rules(root: Path) -> DirectoryRules:
    """Return the rules that an enclosing git repository lays on ``root`` (absolute, no links), but not root's own."""
    return DirectoryRules(rules_above(root), attributes_above(root))


def _read(
    name: str, read: Callable[[int], R | None], prefix: bytes, fd: int, faults: dict[str, Unreadable]
) -> R | None:
    """Read a directory's file of rules; one that cannot be read is no rules, and a fault to show."""
    try:
        return read(fd)
    except (OSError, TooLarge) as exc:
        why = explain(exc) if isinstance(exc, OSError) else str(exc)
        path = (prefix + os.fsencode(name)).decode()
        faults[name] = Unreadable(path, type(exc).__name__, f"{why} Its rules are not applied.")
        return None
