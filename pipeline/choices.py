"""What a user chooses by a word: how urgent a run is, and how a search ranks."""

from __future__ import annotations

from enum import StrEnum


class Priority(StrEnum):
    """How urgent a run's slices are to the dispatcher."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class SearchMode(StrEnum):
    """How chunks are ranked. Scores of different modes, models or queries cannot be compared."""

    DENSE = "dense"
    SPARSE = "sparse"
    HYBRID = "hybrid"
