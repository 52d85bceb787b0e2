"""A whole ledger in memory, for tests of stages, dispatchers and producers without a database.

`FakeLedger` keeps every promise of ``pipeline.ports.Ledger`` and `FakeIntake` those of ``pipeline.ports.Intake``, over
the same state; the tests in ``tests/contract/ledger`` hold them and the ledger on Postgres to the same claims. A test
of a stage of your own takes a document through it like this::

    clock = ManualClock()
    ledger = FakeLedger(clock=clock, max_attempts=3)
    intake = FakeIntake(ledger)
    source = SourceRef(uuid4(), Scope(uuid4(), uuid4()), "tenant", "project", "source", "/root")

    with intake.planning(source, Priority.NORMAL, patience=0.0, on_wait=lambda: None) as run:
        intake.accept(run, [AcceptedDocument("a.py", "python", data, revision_of(data), "", is_new=True)])
        intake.close(run, summary)
    (token,) = ledger.take_ready(8, oldest_first=False)
    claim = ledger.claim(token, "host:1", lease_seconds=60.0)
    ...
    clock.advance(61.0)     # the worker died: its lease is over,
    ledger.sweep(60.0)      # and the slice is ready again

What it came to stands in `FakeLedger.documents`, ``slices``, ``outcomes``, ``chunks`` and ``dead_letters``; everything
else in ``FakeLedger.state``, which a test may also change to set a scene. It is safe to use from several threads.

Where it differs from Postgres: nothing is compressed or serialised, nobody waits for a row but for the one lock, and
a method that Postgres refuses with an integrity error raises ``ValueError``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from pipeline.states import Outcome
from pipeline.testing.ledger_commits import CommitsInMemory
from pipeline.testing.ledger_dispatch import DispatchInMemory
from pipeline.testing.ledger_leases import LeasesInMemory
from pipeline.testing.ledger_losses import LossesInMemory
from pipeline.testing.ledger_rows import ChunkRow, DeadLetterRow, DocumentRow, SliceRow
from pipeline.testing.ledger_stages import StagesInMemory
from pipeline.testing.ledger_state import LedgerState


class FakeLedger(LeasesInMemory, StagesInMemory, CommitsInMemory, LossesInMemory, DispatchInMemory):
    """Implements ``pipeline.ports.Ledger``. ``clock`` returns seconds; leases, delays and timeouts go by it.

    Raises (every method):
        IngestError: ``state.fault``, while a test has set it; nothing happens then.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, max_attempts: int = 3) -> None:
        self.state = LedgerState(clock)
        self.max_attempts = max_attempts

    def documents(self) -> list[DocumentRow]:
        """Return all documents, by path."""
        with self.state.transaction() as state:
            return sorted(state.documents.values(), key=lambda row: (row.path, row.source_id))

    def slices(self) -> list[SliceRow]:
        """Return all slices, oldest first."""
        with self.state.transaction() as state:
            return list(state.slices.values())

    def outcomes(self, run_id: UUID) -> dict[str, Outcome]:
        """Return how a run left its documents, by path."""
        with self.state.transaction() as state:
            rows = [row for row in state.run_documents.values() if row.run_id == run_id]
            return {state.documents[row.document_id].path: row.outcome for row in rows}

    def chunks(self) -> list[ChunkRow]:
        """Return all committed chunks in the order of their documents' texts, retired ones included."""
        with self.state.transaction() as state:
            return sorted(state.chunks.values(), key=lambda row: (row.document_id, row.chunk.ordinal))

    def dead_letters(self) -> list[DeadLetterRow]:
        """Return what was given up on, oldest first."""
        with self.state.transaction() as state:
            return list(state.dead_letters.values())
