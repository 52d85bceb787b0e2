"""Say why a file is no document, by looking at it with the eyes of `mobius ingest`."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from pipeline import errors
from pipeline.intake import SourceRef
from pipeline.plan import Found, Unreadable
from pipeline.policy import Policy, Skip
from pipeline.ports import Source
from pipeline.sources import Vanished
from worker.cli.targets import innermost, is_directory
from worker.sources import SourceMissing
from worker.sources.directory import DirectorySource
from worker.sources.file import FileSource

_NOT_YET = "it is not ingested yet; `mobius ingest` does that"


def why_not(path: str, sources: list[SourceRef], policy: Policy) -> str:
    """Say why a path is no document, by looking at the file as `mobius ingest` would."""
    real = os.path.realpath(path)
    if is_directory(real):
        return "it is a directory; name a file"
    around = innermost(sources, real)
    try:
        if around is None:
            files: Source = FileSource(Path(path), policy)
        else:
            files = DirectorySource(Path(around.root), policy, only=os.path.relpath(real, around.root))
    except SourceMissing as exc:
        return str(exc)
    with closing(files):
        return _judge(files)


def _judge(files: Source) -> str:
    for item in files.walk():
        if isinstance(item, Unreadable):
            return item.message
        if isinstance(item, Found):
            return _judge_content(files, item)
        return f"{item.reason.value}: {item.message}"
    return _NOT_YET


def _judge_content(files: Source, item: Found) -> str:
    try:
        content = files.read(item.path, item.declared)
    except Vanished:
        return "it vanished while it was looked at"
    except errors.Unreadable as exc:
        return str(exc)
    return f"{content.reason.value}: {content.message}" if isinstance(content, Skip) else _NOT_YET
