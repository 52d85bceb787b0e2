"""Decide what a run does, from what a walk found and what the ledger knows.

Both streams arrive ordered by path (code points; the ledger sorts with ``COLLATE "C"``), so one merge pass needs
constant memory whatever the size of the source. An order that is not kept is an error, never a wrong plan: a document
missed by a bad merge would be deleted. What a plan would delete is carried out only if `may_delete` says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar
from uuid import UUID

from pipeline.errors import MisconfiguredError
from pipeline.policy import Skip
from pipeline.traits import NOTHING_DECLARED, Declared, path_traits

#: ``size:mtime_ns:ctime_ns:inode:device``, compared for equality.
StatKey: TypeAlias = str

#: A file changed less than this before it was read may change again within the same clock tick (ns). Two seconds is
#: the coarsest time stamp in use (FAT); git calls such an entry "racily clean".
RACY_NS = 2_000_000_000

_T = TypeVar("_T")


class UnorderedPaths(MisconfiguredError):
    """Paths must ascend strictly by code point; sort the documents with COLLATE "C"."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that its path admits; nothing of it has been read."""

    path: str
    stat: StatKey
    declared: Declared = NOTHING_DECLARED


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file, or with ``/`` at the end of its path a directory, that could not be looked at. ``error`` is a code."""

    path: str
    error: str
    message: str


WalkItem: TypeAlias = Found | Skip | Unreadable


@dataclass(frozen=True, slots=True)
class KnownDocument:
    """A document of the source that the ledger has not deleted.

    ``stat`` is None unless `is_stat_trusted` held when it was recorded; it ends with what was declared of the file
    (`marked`). ``is_current``: INDEXED at its newest
    generation, by the present versions of the pipeline. ``is_in_flight``: another run is bringing that generation in.
    ``traits`` are those found when it was read last; None: it was read before traits were looked for.
    """

    id: UUID
    path: str
    stat: StatKey | None
    revision: bytes | None
    generation: int
    is_current: bool
    is_in_flight: bool = False
    traits: frozenset[str] | None = frozenset()


@dataclass(frozen=True, slots=True)
class Read:
    """Read and hash the file, then `classify` it."""

    path: str
    stat: StatKey
    known: KnownDocument | None
    declared: Declared = NOTHING_DECLARED


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Leave the document alone: it is current and its file looks as it did when it was read."""

    known: KnownDocument


@dataclass(frozen=True, slots=True)
class Delete:
    """Take the document out, if `may_delete` allows it: its file is gone or no longer admitted."""

    known: KnownDocument


@dataclass(frozen=True, slots=True)
class Skipped:
    """Tell the user that the path is no document."""

    skip: Skip


@dataclass(frozen=True, slots=True)
class Broken:
    """Tell the user that the path could not be read. A known document stays as it is."""

    path: str
    error: str
    message: str
    known: KnownDocument | None


PlanStep: TypeAlias = Read | Unchanged | Delete | Skipped | Broken


class Change(StrEnum):
    """What reading a file showed.

    OUTDATED: the same bytes, but the index does not hold them as it should. IN_FLIGHT: nor yet, but a run is at it.
    """

    NEW = "new"
    CHANGED = "changed"
    OUTDATED = "outdated"
    IN_FLIGHT = "in_flight"
    UNCHANGED = "unchanged"


def plan_walk(
    walk: Iterable[WalkItem], known: Iterable[KnownDocument], skip_traits: frozenset[str] = frozenset()
) -> Iterator[PlanStep]:
    """Merge a walk with the ledger's documents of the same source, both ordered by path.

    A document whose path the walk does not find is a `Delete`, so one that is skipped now is deleted. Skips take no
    part in the merge: their paths are for people. Below an unreadable directory nothing is deleted. A document with one
    of ``skip_traits`` is read again, for its content is not admitted any more, and so is one of which something else
    is declared now, or which has a trait by its path that it was not known to have.

    Raises:
        UnorderedPaths: One of the streams is out of order or names a path twice.
    """
    documents = _ascending(known, "the ledger")
    document = next(documents, None)
    for item in _checked_walk(walk):
        if isinstance(item, Skip):
            yield Skipped(item)
            continue
        while document is not None and document.path < item.path:
            yield Delete(document)
            document = next(documents, None)
        match = document if document is not None and document.path == item.path else None
        if match is not None:
            document = next(documents, None)
        yield _step_for(item, match, skip_traits)
        while document is not None and isinstance(item, Unreadable) and _is_below(document.path, item.path):
            yield Broken(document.path, item.error, item.message, document)
            document = next(documents, None)
    while document is not None:
        yield Delete(document)
        document = next(documents, None)


def classify(revision: bytes, known: KnownDocument | None) -> Change:
    """Say what to do with a file that was read. UNCHANGED: only its stat key is recorded anew."""
    if known is None:
        return Change.NEW
    if known.revision != revision:
        return Change.CHANGED
    if known.is_current:
        return Change.UNCHANGED
    return Change.IN_FLIGHT if known.is_in_flight else Change.OUTDATED


def is_stat_trusted(stat: StatKey, observed_at_ns: int) -> bool:
    """Return whether an equal stat key will prove equal bytes.

    ``observed_at_ns`` is the wall clock (ns since the epoch) when reading began. A file whose mtime or ctime is
    younger than that by less than two seconds, or lies in the future, could still change without showing it.
    """
    try:
        _, mtime_ns, ctime_ns, _, _ = (int(part) for part in stat.split(":"))
    except ValueError:
        return False
    return max(mtime_ns, ctime_ns) <= observed_at_ns - RACY_NS


def marked(stat: StatKey, declared: Declared) -> StatKey:
    """Return the stat key that is also another one where something else is declared of the file; empty stays so."""
    return stat + declared.mark if stat else stat


class Ruling(StrEnum):
    """Whether a walk's deletions are carried out."""

    NOTHING = "nothing"
    GO = "go"
    INCOMPLETE_WALK = "incomplete_walk"
    EMPTY_WALK = "empty_walk"
    SHARE_EXCEEDED = "share_exceeded"


@dataclass(frozen=True, slots=True)
class DeletionVerdict:
    """A ruling and, where deletions are refused, what to do."""

    ruling: Ruling
    message: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether there is something to delete that stays."""
        return self.ruling not in {Ruling.NOTHING, Ruling.GO}


def may_delete(known_total: int, to_delete: int, *, complete: bool, share: float, allowed: bool) -> DeletionVerdict:
    """Rule on deleting ``to_delete`` of ``known_total`` documents; ``share`` (0 to 1) may go unasked.

    An incomplete walk deletes nothing, not even when ``allowed`` (``--allow-delete``).
    """
    if to_delete == 0:
        return DeletionVerdict(Ruling.NOTHING)
    subject = f"{to_delete:,} of {known_total:,} documents"
    if not complete:
        return DeletionVerdict(
            Ruling.INCOMPLETE_WALK,
            f"{subject} were not found, but not all of the source was seen, so none is deleted; "
            f"make what could not be read readable and ingest the whole source again.",
        )
    if allowed:
        return DeletionVerdict(Ruling.GO)
    if to_delete >= known_total:
        return DeletionVerdict(
            Ruling.EMPTY_WALK,
            f"none of the {known_total:,} known documents was found, so none is deleted; "
            f"check that this is the right directory, or confirm with --allow-delete.",
        )
    if to_delete > share * known_total:
        return DeletionVerdict(
            Ruling.SHARE_EXCEEDED,
            f"{subject} were not found, more than the {share:.0%} that may go unasked, so none is deleted; "
            f"check the source, or confirm with --allow-delete.",
        )
    return DeletionVerdict(Ruling.GO)


def pack_slices(
    items: Iterable[_T], size_of: Callable[[_T], int], max_documents: int = 64, max_bytes: int = 1024 * 1024
) -> Iterator[list[_T]]:
    """Group items in their order, within both bounds; ``size_of`` gives bytes. A larger item travels alone.

    Raises:
        ValueError: A bound is not positive.
    """
    if max_documents < 1 or max_bytes < 1:
        raise ValueError(f"a slice holds at least one document and one byte, not {max_documents} and {max_bytes}")
    pending: list[_T] = []
    pending_bytes = 0
    for item in items:
        size = size_of(item)
        if pending and (len(pending) >= max_documents or pending_bytes + size > max_bytes):
            yield pending
            pending, pending_bytes = [], 0
        pending.append(item)
        pending_bytes += size
    if pending:
        yield pending


def _step_for(item: Found | Unreadable, known: KnownDocument | None, skip_traits: frozenset[str]) -> PlanStep:
    if isinstance(item, Unreadable):
        return Broken(item.path, item.error, item.message, known)
    if known is not None and known.is_current and known.stat == marked(item.stat, item.declared):
        shown = item.declared.over(path_traits(item.path))
        if known.traits is not None and known.traits >= shown and not known.traits & skip_traits:
            return Unchanged(known)
    return Read(item.path, item.stat, known, item.declared)


def _is_below(path: str, directory: str) -> bool:
    return directory.endswith("/") and path.startswith(directory)


def _checked_walk(walk: Iterable[WalkItem]) -> Iterator[WalkItem]:
    previous: str | None = None
    for item in walk:
        if not isinstance(item, Skip):
            _require_ascent(previous, item.path, "the walk")
            previous = item.path
        yield item


def _ascending(documents: Iterable[KnownDocument], stream: str) -> Iterator[KnownDocument]:
    previous: str | None = None
    for document in documents:
        _require_ascent(previous, document.path, stream)
        previous = document.path
        yield document


def _require_ascent(previous: str | None, path: str, stream: str) -> None:
    if previous is None or previous < path:
        return
    fault = "twice" if previous == path else f"after {previous!r}"
    raise UnorderedPaths(f'{stream} names {path!r} {fault}; paths must ascend by code point (sort with COLLATE "C").')
