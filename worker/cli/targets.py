"""Decide which source a path belongs to: its own name, the known source around it, or a directory's absolute path."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from models.sources import Sources
from pipeline.errors import MisconfiguredError
from pipeline.intake import SourceRef
from pipeline.policy import Policy
from pipeline.ports import Source
from worker.cli.names import Names
from worker.naming import MAX_SOURCE_BYTES
from worker.sources.directory import DirectorySource
from worker.sources.file import FileSource


class WrongPath(MisconfiguredError):
    """The path cannot be taken into that source; name another source."""


@dataclass(frozen=True, slots=True)
class Target:
    """The files to walk and the ledger's source that they belong to. ``inside``: known sources within this one."""

    files: Source
    ref: SourceRef
    inside: tuple[SourceRef, ...] = ()


def locate(files: Source, path: Path, sources: Sources, names: Names, policy: Policy) -> Target:
    """Find the source of an opened path, or make it.

    Without a name, a path belongs to the innermost known source around it, so that its documents are brought up to
    date and not found twice; where there is none, to a source named by the directory's absolute path.

    Raises:
        WrongPath: The path is not valid UTF-8, or the named source is a directory that the file is not in.
    """
    real = os.path.realpath(path)
    _require_utf8(real)
    known = sources.sources_of(names.tenant, names.project)
    is_file = isinstance(files, FileSource)
    if names.source is None or is_file:
        around = innermost([ref for ref in known if names.source in {None, ref.name}], real)
        if around is not None:
            if real == around.root:
                return Target(files, around, _inside(known, around.root, around.name))
            files.close()
            return Target(DirectorySource(Path(around.root), policy, only=os.path.relpath(real, around.root)), around)
    root = os.path.realpath(path.parent) if is_file else real
    taken = [ref for ref in known if is_file and ref.name == names.source and ref.root != root]
    if taken:
        raise WrongPath(
            f"source {taken[0].name!r} is the directory {taken[0].root!r}, and {real!r} is not in it: ingest that "
            "directory first if it was moved, or name another source with --source."
        )
    ref = sources.resolve(names.tenant, names.project, names.source or _name_of(root), root)
    return Target(files, ref, () if is_file else _inside(known, root, ref.name))


def open_path(path: Path, policy: Policy) -> Source:
    """Open a file or a directory.

    Raises:
        SourceMissing: There is no such file or directory, or it cannot be read.
    """
    return DirectorySource(path, policy) if is_directory(path) else FileSource(path, policy)


def is_directory(path: str | Path) -> bool:
    """Return whether a path leads to a directory; one too long, or that may not be looked at, does not."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def innermost(sources: list[SourceRef], path: str) -> SourceRef | None:
    """Return the source whose directory is the nearest one around ``path`` (absolute), or is ``path`` itself."""
    around = [ref for ref in sources if _is_within(path, ref.root) and is_directory(ref.root)]
    return max(around, key=lambda ref: (len(ref.root), ref.name == _name_of(ref.root)), default=None)


def _name_of(root: str) -> str:
    """Return a directory's path, shortened where it is too long for an indexed column, and still unique."""
    if len(root.encode()) <= MAX_SOURCE_BYTES:
        return root
    digest = hashlib.sha256(root.encode()).hexdigest()[:16]
    return f"{digest}...{root.encode()[-MAX_SOURCE_BYTES // 2 :].decode(errors='ignore')}"


def _inside(known: list[SourceRef], root: str, name: str) -> tuple[SourceRef, ...]:
    return tuple(ref for ref in known if ref.name != name and _is_within(ref.root, root))


def _is_within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _require_utf8(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError as exc:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise WrongPath(f"{shown} cannot be ingested: its path is not valid UTF-8; rename it.") from exc
