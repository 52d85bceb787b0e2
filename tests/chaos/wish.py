"""What a run is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.faults import KINDS


@dataclass(frozen=True, slots=True)
class Wish:
    """One run. ``seconds``: how long faults strike; ``rest``: how long all may take to come to rest.

    ``least``: so many faults strike at least, however long that takes on a busy machine.

    ``singles`` strike alone first; then those of the ``storm``, at most ``gap`` seconds apart. ``edits`` are made
    before each. ``bound``: seconds that a single fault may take to recover from.
    """

    directory: Path
    seed: int
    seconds: float
    files: int
    singles: Sequence[str] = tuple(KINDS)
    storm: Sequence[str] = tuple(KINDS)
    settings: dict[str, str] = field(default_factory=dict)
    edits: int = 12
    gap: float = 1.0
    least: int = 0
    rest: float = 300.0
    bound: float | None = None
    say: Callable[[str], None] = lambda _: None
