"""One database and the steps of producers, dispatcher and workers, which a test takes one at a time.

The ledger is the real one; index and embedder are the shipped fakes, so that a test can stop between any two steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from harness.database import Database
from harness.eventful_index import EventfulIndex
from harness.revisions import accepted
from harness.stage_context import STAGES, stage_context

from models.intake import Intake
from models.ledger import PostgresLedger
from models.sources import Sources
from pipeline.identity import document_id
from pipeline.intake import AcceptedDeletion, AcceptedDocument, OpenRun, PlanSummary, SourceRef
from pipeline.testing import RecordingEmbedder
from pipeline.types import Claim, Priority, Stage, Token

#: One slice's files: path to content.
Files = Mapping[str, str | bytes]

SUMMARY = PlanSummary(seen=0, unchanged=0, skipped={}, withheld=0, message="", is_complete=True)


class Bench(Database):
    """Everything about one test's database; ``close`` it at the end."""

    def __init__(self, database_url: str, *, max_attempts: int = 3) -> None:
        super().__init__(database_url)
        self.ledger = PostgresLedger(self.engine, max_attempts=max_attempts)
        self.intake = Intake(self.engine)
        self.sources = Sources(self.engine)
        self.source = self.sources.resolve("tenant", "project", "source", "/root")
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

    def generation(self, document: UUID) -> int:
        """Return a document's newest generation; 0 for one that does not exist."""
        return sum(
            row["generation"] for row in self.rows("SELECT generation FROM documents WHERE id = :id", id=document)
        )

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
        self.rows("UPDATE slices SET lease_until = now() - interval '1 s' WHERE id = :id", id=claim.token.slice_id)

    # --- what must hold

    def committed(self) -> dict[UUID, int]:
        """Return the committed chunks: id to the generation that wrote the point."""
        return {
            row["id"]: row["generation"]
            for row in self.rows("SELECT id, generation FROM chunks WHERE retired_at IS NULL")
        }

    def assert_index_is_true(self) -> None:
        """Check that the index holds exactly the committed chunks as they were committed, and no row is left over."""
        assert {point.id: point.generation for point in self.index.points.values()} == self.committed()
        rows = self.rows(
            "SELECT c.id, c.start_line, c.end_line, c.embed_hash, d.path FROM chunks c"
            " JOIN documents d ON d.id = c.document_id WHERE c.retired_at IS NULL"
        )
        for row in rows:
            payload = self.index.points[row["id"]].payload
            assert payload["path"] == row["path"]
            assert payload["embed_hash"] == row["embed_hash"].hex()
            assert (payload["start_line"], payload["end_line"]) == (row["start_line"], row["end_line"])
        assert self.rows("SELECT 1 FROM chunks WHERE retired_at IS NOT NULL") == []


def following(token: Token) -> Token:
    """Return the token of the next link of the same chain."""
    return Token(token.slice_id, token.stage.following()[1], token.seq + 1)
