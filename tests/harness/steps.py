"""The steps of producers, dispatcher and workers over any ledger, which a test takes one at a time.

Index and embedder are the shipped fakes, so that a test can stop between any two steps. What the ledger came to is
read as the rows of ``pipeline.testing.ledger_rows``, whatever stores them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from harness.eventful_index import EventfulIndex
from harness.revisions import accepted
from harness.stage_context import CRASHED, STAGES, stage_context

from pipeline.crashes import Crash
from pipeline.identity import document_id
from pipeline.intake import AcceptedDeletion, AcceptedDocument, OpenRun, PlanSummary, SourceRef
from pipeline.ports import Control, Intake, Ledger
from pipeline.testing import RecordingEmbedder
from pipeline.testing.ledger_rows import ChunkRow, DeadLetterRow, DocumentRow, RunDocumentRow, RunRow, SliceRow
from pipeline.types import Claim, Priority, Stage, Token

#: One slice's files: path to content.
Files = Mapping[str, str | bytes]

SUMMARY = PlanSummary(seen=0, unchanged=0, skipped={}, withheld=0, message="", is_complete=True)


class Steps(ABC):
    """One ledger with its producers and workers; three attempts per slice."""

    ledger: Ledger
    intake: Intake
    control: Control
    source: SourceRef

    def __init__(self) -> None:
        self.embedder = RecordingEmbedder()
        self.index = EventfulIndex(self.embedder.model)
        self.context = stage_context(self.ledger, self.index, self.embedder)

    # --- what producers do

    @contextmanager
    def plan(
        self,
        source: SourceRef | None = None,
        priority: Priority = Priority.NORMAL,
        summary: PlanSummary = SUMMARY,
    ) -> Iterator[OpenRun]:
        """Open a run; it is closed when the block ends well."""
        with self.intake.planning(source or self.source, priority, patience=0.0, on_wait=lambda: None) as run:
            yield run
            self.intake.close(run, summary)

    def ingest(self, *slices: Files, source: SourceRef | None = None, priority: Priority = Priority.NORMAL) -> OpenRun:
        """Accept files, each argument as one slice."""
        with self.plan(source, priority) as run:
            for files in slices:
                self.accept(run, files)
        return run

    def accept(self, run: OpenRun, files: Files) -> None:
        """Accept files as one slice of an open run."""
        self.intake.accept(run, [self.accepted(run.source, *item) for item in files.items()])

    def delete(self, *paths: str) -> OpenRun:
        """Accept deletions as one slice, at the generations the documents have now."""
        ids = [self.document(path) for path in paths]
        with self.plan() as run:
            self.intake.accept_deletions(run, [AcceptedDeletion(each, self.generation(each)) for each in ids])
        return run

    def document(self, path: str) -> UUID:
        """Return the id of a document of the bench's own source."""
        return document_id(self.source.id, path)

    def accepted(self, source: SourceRef, path: str, content: str | bytes) -> AcceptedDocument:
        """Return what a plan would hand to the ledger for a file."""
        return accepted(path, content, is_new=self.generation(document_id(source.id, path)) == 0)

    # --- what dispatcher and workers do

    def take(self) -> Token:
        """Dispatch the only slice that is ready."""
        (token,) = self.ledger.take_ready(100, oldest_first=True)
        return token

    def claim(self, token: Token | None = None, lease_seconds: float = 60.0) -> Claim:
        """Claim a dispatched slice; without a token the only ready one."""
        claim = self.ledger.claim(token or self.take(), self.context.worker, lease_seconds)
        assert claim is not None, "the token is not current"
        return claim

    def work(self, claim: Claim) -> dict[str, int]:
        """Run the claimed stage, as its task would."""
        counts: dict[str, int] = STAGES[claim.token.stage].run(self.context, claim)
        return counts

    def claim_at(self, stage: Stage, token: Token | None = None) -> Claim:
        """Work a slice (without a token the only ready one) up to a stage and return the claim of that stage."""
        claim = self.claim(token)
        while claim.token.stage is not stage:
            self.work(claim)
            claim = self.claim(following(claim.token))
        return claim

    def finish(self) -> None:
        """Work off everything that is ready."""
        while tokens := self.ledger.take_ready(100, oldest_first=False):
            for token in tokens:
                self.work(self.claim_at(Stage.UPSERT, token))

    def expire(self, claim: Claim) -> None:
        """Let a claim's lease end now."""
        self.change("slices", claim.token.slice_id, lease_until=self.now() - 1.0)

    def crash(self, claim: Claim, crash: Crash = CRASHED) -> None:
        """Let the process that holds a claim end, seen by its parent, and the slice be due again at once."""
        assert self.ledger.report_crash(claim.token, self.context.worker, crash, 0.0)

    def lose_messages(self) -> None:
        """Let every message that no worker has claimed yet be long overdue."""
        for row in self.slices():
            if row.state == "dispatched":
                self.change("slices", row.id, dispatched_at=self.now() - 61.0)

    def wear_out(self, slice_id: UUID) -> None:
        """Let a slice have had all its attempts."""
        self.change("slices", slice_id, attempts=3)

    def lose_often(self, slice_id: UUID) -> None:
        """Let a slice have been lost so often that the next loss splits it."""
        self.change("slices", slice_id, losses=2)

    # --- what must hold

    def committed(self) -> dict[UUID, int]:
        """Return the committed chunks: id to the generation that wrote the point."""
        return {row.chunk.id: row.generation for row in self.standing()}

    def standing(self) -> list[ChunkRow]:
        """Return the committed chunks that are not retired."""
        return [row for row in self.chunks() if row.retired_at is None]

    def names(self) -> list[str]:
        """Return the names of the standing chunks in the order of the text."""
        return [row.chunk.name for row in self.standing()]

    def outcomes(self) -> list[str]:
        """Return how every run left its documents, by generation."""
        return [row.outcome.value for row in self.run_documents()]

    def states(self) -> dict[str, tuple[str, str]]:
        """Return each path's document state and outcome, where only one run has it."""
        paths = {row.id: (row.path, row.state.value) for row in self.documents()}
        rows = self.run_documents()
        assert len({row.document_id for row in rows}) == len(rows), "several runs have one of the documents"
        return {path: (state, row.outcome.value) for row in rows for path, state in [paths[row.document_id]]}

    def paths_of(self, token: Token) -> list[str]:
        """Return the paths of a slice's documents."""
        paths = {row.id: row.path for row in self.documents()}
        return sorted({paths[row.document_id] for row in self.run_documents() if row.slice_id == token.slice_id})

    def only_slice(self) -> SliceRow:
        """Return the slice where there is but one."""
        (row,) = self.slices()
        return row

    def only_document(self) -> DocumentRow:
        """Return the document where there is but one."""
        (row,) = self.documents()
        return row

    def assert_index_is_true(self) -> None:
        """Check that the index holds exactly the committed chunks as they were committed, and no row is left over."""
        assert {point.id: point.generation for point in self.index.points.values()} == self.committed()
        paths = {row.id: row.path for row in self.documents()}
        for row in self.standing():
            payload = self.index.points[row.chunk.id].payload
            assert payload["path"] == paths[row.document_id]
            assert payload["embed_hash"] == row.chunk.embed_hash.hex()
            assert self.index.points[row.chunk.id].sparse.indices
            assert (payload["start_line"], payload["end_line"]) == (row.chunk.start_line, row.chunk.end_line)
        assert [row for row in self.chunks() if row.retired_at is not None] == []

    # --- what the ledger remembers

    @abstractmethod
    def another_source(self, name: str) -> SourceRef:
        """Return another source of the same project."""

    @abstractmethod
    def generation(self, document: UUID) -> int:
        """Return a document's newest generation; 0 for one that does not exist."""

    @abstractmethod
    def documents(self) -> list[DocumentRow]:
        """Return all documents, by path."""

    @abstractmethod
    def slices(self) -> list[SliceRow]:
        """Return all slices, oldest first."""

    @abstractmethod
    def runs(self) -> list[RunRow]:
        """Return all runs, oldest first."""

    @abstractmethod
    def run_documents(self) -> list[RunDocumentRow]:
        """Return what runs do to documents, by generation."""

    @abstractmethod
    def chunks(self) -> list[ChunkRow]:
        """Return all committed chunks in the order of their documents' texts, retired ones included."""

    @abstractmethod
    def dead_letters(self) -> list[DeadLetterRow]:
        """Return what was given up on."""

    @abstractmethod
    def chunk_sets(self) -> set[tuple[UUID, int]]:
        """Return which documents' generations have a chunk set on its way."""

    @abstractmethod
    def blobs(self) -> set[bytes]:
        """Return which revisions' bytes are stored."""

    @abstractmethod
    def models(self) -> dict[str, int]:
        """Return the registered models' names and their header versions."""

    @abstractmethod
    def reserved(self) -> set[bytes]:
        """Return the embedding inputs that somebody is buying."""

    @abstractmethod
    def snapshot(self) -> dict[str, Any]:
        """Return everything the ledger knows, to compare with what it knows later."""

    # --- what a test does behind the ledger's back

    @abstractmethod
    def now(self) -> float:
        """Return the time by which leases go (s)."""

    @abstractmethod
    def change(self, table: str, key: UUID, **values: object) -> None:
        """Change a row of ``slices``, ``runs`` or ``chunks``."""

    @abstractmethod
    def pass_time(self, seconds: float) -> None:
        """Let time pass for leases, delays and messages."""

    @abstractmethod
    def forget_chunk_sets(self, document: UUID) -> None:
        """Lose the chunk sets of a document."""

    @abstractmethod
    def close(self) -> None:
        """Release what this holds."""


def following(token: Token) -> Token:
    """Return the token of the next link of the same chain."""
    return Token(token.slice_id, token.stage.following()[1], token.seq + 1)
