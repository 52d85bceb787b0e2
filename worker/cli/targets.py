"""Decide which source a path belongs to: its own name, a directory's absolute path, or the source around a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from models.sources import Sources
from pipeline.intake import SourceRef
from pipeline.policy import Policy
from pipeline.ports import Source
from worker.cli.services import Services
from worker.sources.directory import DirectorySource
from worker.sources.file import FileSource


@dataclass(frozen=True, slots=True)
class Target:
    """The files to walk and the ledger's source that they belong to."""

    files: Source
    ref: SourceRef


def locate(services: Services, path: Path, *, tenant: str, project: str, source: str | None) -> Target:
    """Open a path as a source. Without a name, a directory is named by its absolute path.

    A single file belongs to the known source whose directory it is in (the innermost one), so that ingesting it
    again updates the document that is already there; otherwise to a source for its own directory.

    Raises:
        SourceMissing: There is no such file or directory, or it cannot be read.
    """
    policy = Policy(max_file_bytes=services.settings.max_file_bytes)
    if path.is_dir():
        files: Source = DirectorySource(path, policy)
        root = os.path.realpath(path)
        return Target(files, Sources(services.engine).resolve(tenant, project, source or root, root))
    # Opened first: a missing path must not leave a source behind.
    files = FileSource(path, policy)
    sources = Sources(services.engine)
    real = os.path.realpath(path)
    around = _innermost(sources.sources_of(tenant, project), real, source)
    if around is None:
        parent = os.path.realpath(path.parent)
        return Target(files, sources.resolve(tenant, project, source or parent, parent))
    files.close()
    return Target(DirectorySource(Path(around.root), policy, only=os.path.relpath(real, around.root)), around)


def _innermost(sources: list[SourceRef], path: str, name: str | None) -> SourceRef | None:
    around = [
        ref
        for ref in sources
        if path.startswith(ref.root.rstrip("/") + "/") and name in {None, ref.name} and Path(ref.root).is_dir()
    ]
    return max(around, key=lambda ref: len(ref.root), default=None)
