"""The producers' side of a ledger in memory; see ``pipeline.testing.ledger`` for how to use both together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

from pipeline.errors import storable
from pipeline.identity import document_id
from pipeline.intake import (
    SLICE_VERSION,
    AcceptedDeletion,
    AcceptedDocument,
    BrokenDocument,
    FreshStatus,
    OpenRun,
    PlanSummary,
    PlanTakenOver,
    SourceBusy,
    SourceRef,
)
from pipeline.plan import KnownDocument
from pipeline.states import DocumentEvent, DocumentState, Outcome, PlanState, SliceState
from pipeline.testing.ledger import FakeLedger
from pipeline.testing.ledger_rows import DocumentRow, RunDocumentRow, RunRow, SliceRow
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Action, Priority, Stage

_GONE = frozenset({DocumentState.DELETED, DocumentState.DELETING})
_ENDED = frozenset({SliceState.DONE, SliceState.FAILED, SliceState.CANCELLED})


class FakeIntake:
    """Implements ``pipeline.ports.Intake`` over the state of a `FakeLedger`."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.state = ledger.state

    @contextmanager
    def planning(
        self, source: SourceRef, priority: Priority, *, patience: float, on_wait: Callable[[], None]
    ) -> Iterator[OpenRun]:
        """See the port. Waiting takes real seconds, whatever the ledger's clock says.

        Raises:
            SourceBusy: Another producer plans this source for longer than that.
        """
        run = OpenRun(uuid4(), source, priority)
        self._lock_source(run, patience, on_wait)
        try:
            with self.state.transaction() as state:
                state.sources[source.id] = source
                for older in list(state.runs.values()):
                    if older.source_id == source.id and older.plan_state is PlanState.PLANNING:
                        state.runs[older.id] = replace(older, plan_state=PlanState.INTERRUPTED)
                state.runs[run.id] = RunRow(run.id, source.id, priority, PlanState.PLANNING)
            yield run
        finally:
            self._unlock_source(run)

    def known_documents(self, source: SourceRef, versions: str) -> Iterator[KnownDocument]:
        """See the port."""
        with self.state.transaction() as state:
            rows = [row for row in state.documents.values() if row.source_id == source.id and row.state not in _GONE]
        for row in sorted(rows, key=lambda row: row.path):
            is_indexed = row.state is DocumentState.INDEXED and row.indexed_generation == row.generation
            yield KnownDocument(
                row.id,
                row.path,
                row.stat or None,
                row.revision,
                row.generation,
                is_current=is_indexed and row.versions == versions,
                is_in_flight=row.state is DocumentState.PENDING,
                traits=None if row.traits is None else frozenset(row.traits),
            )

    def join(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> frozenset[str]:
        """See the port."""
        with self._accepting(run) as state:
            joined: set[str] = set()
            for document in documents:
                found = _under_way(state, document_id(run.source.id, document.path), document.revision)
                if found is not None:
                    state.add_run_document(replace(found, run_id=run.id, is_new=False))
                    joined.add(document.path)
            return frozenset(joined)

    def accept(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> None:
        """See the port."""
        with self._accepting(run) as state:
            rows: list[tuple[DocumentRow, bool]] = []
            for document in documents:
                state.blobs.setdefault(document.revision, document.data)
                rows.append((_accept(state, run, document), document.is_new))
            _add_slice(state, run, Stage.PARSE, Action.INDEX, rows)

    def accept_deletions(self, run: OpenRun, deletions: Sequence[AcceptedDeletion]) -> None:
        """See the port."""
        with self._accepting(run) as state:
            rows: list[tuple[DocumentRow, bool]] = []
            for deletion in deletions:
                row = state.documents.get(deletion.document_id)
                if row is None or row.generation != deletion.generation:
                    continue
                changes = {"generation": row.generation + 1, "revision": None, "stat": ""}
                moved = state.move_document(DocumentEvent.ACCEPT_DELETION, row.id, **changes)
                rows += [(moved, False)] if moved is not None else []
            _add_slice(state, run, Stage.UPSERT, Action.DELETE, rows)

    def record_broken(self, run: OpenRun, broken: Sequence[BrokenDocument]) -> None:
        """See the port."""
        with self.state.transaction() as state:
            for item in broken:
                key, message = document_id(run.source.id, item.path), storable(item.message)
                new = DocumentRow(key, run.source.id, item.path, "text", DocumentState.FAILED, 0)
                row = state.documents.setdefault(key, replace(new, error=item.error, message=message))
                ended = RunDocumentRow(run.id, key, None, Action.INDEX, item.is_new, row.generation, None)
                state.add_run_document(ended)
                state.end(ended, Outcome.FAILED, error=item.error, message=message)

    def refresh_stats(self, stats: Sequence[FreshStatus]) -> None:
        """See the port."""
        with self.state.transaction() as state:
            for fresh in stats:
                row = state.documents.get(fresh.document_id)
                if row is not None and row.generation == fresh.generation:
                    state.documents[row.id] = _refreshed(row, fresh)

    def close(self, run: OpenRun, summary: PlanSummary) -> None:
        """See the port.

        Raises:
            PlanTakenOver: Another producer ended it already.
        """
        with self._accepting(run) as state:
            state.runs[run.id] = replace(state.runs[run.id], plan_state=PlanState.PLANNED, summary=summary)

    @contextmanager
    def _accepting(self, run: OpenRun) -> Iterator[LedgerState]:
        with self.state.transaction() as state:
            row = state.runs.get(run.id)
            if row is None or row.plan_state is not PlanState.PLANNING:
                raise PlanTakenOver
            yield state

    def _lock_source(self, run: OpenRun, patience: float, on_wait: Callable[[], None]) -> None:
        deadline = time.monotonic() + patience
        waited = False
        while not self._try_lock(run):
            if time.monotonic() > deadline:
                raise SourceBusy
            if not waited:
                on_wait()
            waited = True
            with self.state.lock:
                if run.source.id in self.state.planners:
                    self.state.unlocked.wait(max(0.0, deadline - time.monotonic()))

    def _try_lock(self, run: OpenRun) -> bool:
        with self.state.transaction() as state:
            return state.planners.setdefault(run.source.id, run.id) == run.id

    def _unlock_source(self, run: OpenRun) -> None:
        with self.state.lock:
            if self.state.planners.get(run.source.id) == run.id:
                del self.state.planners[run.source.id]
                self.state.unlocked.notify_all()


def _under_way(state: LedgerState, key: UUID, revision: bytes) -> RunDocumentRow | None:
    """Return what an unfinished slice is to do to a document's newest generation, if that is this revision."""
    for row in state.run_documents.values():
        if (row.document_id, row.revision, row.outcome) != (key, revision, Outcome.PENDING) or row.slice_id is None:
            continue
        if row.generation == state.documents[key].generation and state.slices[row.slice_id].state not in _ENDED:
            return row
    return None


def _accept(state: LedgerState, run: OpenRun, document: AcceptedDocument) -> DocumentRow:
    """Give a document its next generation; every state allows it."""
    key = document_id(run.source.id, document.path)
    new = DocumentRow(key, run.source.id, document.path, document.language, DocumentState.PENDING, 0)
    row = state.documents.setdefault(key, new)
    moved = state.move_document(
        DocumentEvent.ACCEPT,
        key,
        language=document.language,
        generation=row.generation + 1,
        revision=document.revision,
        size=len(document.data),
        stat=document.stat,
        traits=document.reading.trait_names,
        newlines=document.reading.newlines.value,
        versions=row.versions if _is_told_alike(row, document) else "",
        error="",
        message="",
        deleted_at=None,
    )
    return moved or row


def _is_told_alike(row: DocumentRow, document: AcceptedDocument) -> bool:
    """Return whether the points that stay say of the document what new ones would."""
    return (row.language, row.traits or ()) == (document.language, document.reading.trait_names)


def _refreshed(row: DocumentRow, fresh: FreshStatus) -> DocumentRow:
    reading = fresh.reading
    return replace(row, stat=fresh.stat, traits=reading.trait_names, newlines=reading.newlines.value)


def _add_slice(
    state: LedgerState, run: OpenRun, stage: Stage, action: Action, rows: Sequence[tuple[DocumentRow, bool]]
) -> None:
    if not rows:
        return
    made = SliceRow(uuid4(), run.id, stage, run.priority, state.clock(), version=SLICE_VERSION)
    state.slices[made.id] = made
    for row, is_new in rows:
        state.add_run_document(RunDocumentRow(run.id, row.id, made.id, action, is_new, row.generation, row.revision))
