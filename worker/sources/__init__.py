"""Sources: where files come from, and how they are read without ever leaving them.

A source is walked in the order of its paths and then read file by file, as `pipeline.ports.Source` promises.
"""

from __future__ import annotations

from pipeline.errors import MisconfiguredError


class SourceMissing(MisconfiguredError):
    """The path is no readable file or directory; check its spelling and its permissions."""
