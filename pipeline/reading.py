"""What is remembered of a file besides its text, each time it is read: what kind of file it is, how its lines end."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import MalformedDocument, UnsupportedMediaType
from pipeline.parse.decode import Newlines, decode
from pipeline.traits import NOTHING_DECLARED, Declared, Trait, traits_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a file showed. ``newlines`` is NONE where it is no text."""

    traits: frozenset[Trait] = frozenset()
    newlines: Newlines = Newlines.NONE

    @property
    def trait_names(self) -> tuple[str, ...]:
        """The traits' names in their one order."""
        return tuple(sorted(trait.value for trait in self.traits))


NOTHING_SHOWN = Reading()


def reading_of(path: str, data: bytes, declared: Declared = NOTHING_DECLARED) -> Reading:
    """Return what a file's path and bytes show, and what is declared of it."""
    try:
        newlines = decode(data).newlines
    except (UnsupportedMediaType, MalformedDocument):
        newlines = Newlines.NONE
    return Reading(declared.over(traits_of(path, data)), newlines)
