"""What operators are told about a document that was given up on; the field names are the JSON of the commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pipeline.errors import MisconfiguredError


class UnknownDeadLetter(MisconfiguredError):
    """There is no such dead letter; `mobius dead-letters list` shows the ones there are."""


@dataclass(frozen=True, slots=True)
class DeadLetterLine:
    """One document at the generation that was given up on. ``status``: open, retried, dropped or overtaken.

    ``trace`` is where the stage was when it failed the last time; empty where nothing could tell.
    """

    dead_letter_id: UUID
    status: str
    project: str
    source: str
    path: str
    document_id: UUID
    run_id: UUID
    generation: int
    stage: str
    attempts: int
    worker: str
    error: str
    message: str
    trace: str
    accepted_at: datetime
    given_up_at: datetime
    resolved_at: datetime | None
