"""The ledger on Postgres: every statement that changes the truth, put together from its parts."""

from __future__ import annotations

from sqlalchemy import Engine

from models.commits import Commits
from models.dispatch import Dispatch
from models.leases import Leases
from models.losses import Losses
from models.stages import ParseAndChunk
from models.vectors import Embeddings


class PostgresLedger(Leases, ParseAndChunk, Embeddings, Commits, Losses, Dispatch):
    """Implements ``pipeline.ports.Ledger``. Every method is one transaction; none keeps state between calls.

    Raises (every method):
        ServiceUnavailable: Postgres is down, was restarted, or timed out.
    """

    def __init__(self, engine: Engine, *, max_attempts: int) -> None:
        self._engine = engine
        self._max_attempts = max_attempts

    def close(self) -> None:
        """Release the connections; safe to call twice, and the next call opens new ones."""
        self._engine.dispose()
