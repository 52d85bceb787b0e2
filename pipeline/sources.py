"""What a source returns when one of its files is read."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.plan import StatKey, is_stat_trusted


class Vanished(Exception):
    """The file is gone since the walk found it; treat its document as one that the walk did not find."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """All bytes of a file, none of them changed while it was read.

    ``observed_at_ns`` is the wall clock when reading began (ns since the epoch).
    """

    data: bytes
    stat: StatKey
    observed_at_ns: int

    @property
    def trusted_stat(self) -> StatKey | None:
        """The stat key to record: None where an equal key would not prove equal bytes."""
        return self.stat if is_stat_trusted(self.stat, self.observed_at_ns) else None
