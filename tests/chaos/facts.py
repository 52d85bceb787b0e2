"""What the history checker holds against each other: what was in the files, what the stores say, what was shown.

Plain values. Nothing of the product is imported here or in ``judge`` and ``stores``: a checker that asks the stages
whether they did well would believe them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Breach(StrEnum):
    """The ways in which the promise can be broken."""

    LOST = "lost"  #: a file of the tree is not what the ledger has committed
    LINGERING = "lingering"  #: a file that is gone from the tree is still shown
    STUCK = "stuck"  #: work is left that nobody does
    DUPLICATED = "duplicated"  #: something is there twice that is one
    MIXED = "mixed"  #: one answer shows what no single revision of a file holds
    FALSELY_DONE = "falsely done"  #: reported done, and it is not
    MISSING = "points missing"
    ORPHANED = "points orphaned"
    WRONG = "points wrong"
    GIVEN_UP = "innocents given up"  #: a dead letter or a failure; no file here deserves one
    PAID_TWICE = "paid twice"  #: a text was bought again, and no fault had it in flight


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise, with the paths and ids that prove it."""

    breach: Breach
    what: str


class History:
    """Every content that a path ever had, recorded before it is written; one may write while others read."""

    def __init__(self) -> None:
        self._versions: dict[str, list[bytes]] = {}
        self._lock = threading.Lock()

    def record(self, path: str, content: bytes) -> None:
        """Remember what a file is about to hold."""
        with self._lock:
            self._versions.setdefault(path, []).append(content)

    def versions(self, path: str) -> list[bytes]:
        """Return what a file ever held, oldest first."""
        with self._lock:
            return list(self._versions.get(path, ()))


@dataclass(frozen=True, slots=True)
class Document:
    """A row of ``documents`` with the bytes of its committed revision."""

    id: str
    path: str
    state: str
    generation: int
    committed: int
    indexed: int
    revision: bytes | None
    committed_revision: bytes | None
    text: bytes | None
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A row of ``chunks``."""

    id: str
    document: str
    generation: int
    start: int
    end: int
    start_line: int
    end_line: int
    text_hash: str
    is_retired: bool


@dataclass(frozen=True, slots=True)
class Stores:
    """Postgres and Qdrant at one moment of rest. ``open_work`` and ``given_up`` are lines that say what it is."""

    documents: Sequence[Document] = ()
    chunks: Sequence[Chunk] = ()
    points: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: The newest outcome of each document that a run reported on: document id, outcome, generation.
    outcomes: Sequence[tuple[str, str, int]] = ()
    open_work: Sequence[str] = ()
    given_up: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit of one answer, as the API sent it."""

    path: str
    start_line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Payment:
    """One answered provider call. ``spoiled``: the answer was not usable, or nobody was there to take it."""

    texts: tuple[str, ...]
    begun: float
    ended: float
    is_spoiled: bool = False


@dataclass(frozen=True, slots=True)
class Disturbance:
    """From when to when a fault could have taken a call, or the commit of what it bought, with it."""

    kind: str
    begun: float
    ended: float
