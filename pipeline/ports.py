"""The narrow doors between the domain and the world: what the stages need of an index, an embedder and a ledger.

Adapters translate a vendor's errors into ``pipeline.errors`` at the boundary. ``pipeline.testing`` ships fakes of
index, embedder, limiter, ledger and intake; the same contract tests run on these and on the real adapters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from pipeline.crashes import Crash
from pipeline.intake import (
    AcceptedDeletion,
    AcceptedDocument,
    BrokenDocument,
    FreshStatus,
    OpenRun,
    PlanSummary,
    SourceRef,
)
from pipeline.plan import KnownDocument, WalkItem
from pipeline.policy import Skip
from pipeline.reconcile import IndexedPoint, PointId, Removal
from pipeline.search import SearchVectors
from pipeline.sources import FileContent
from pipeline.traits import NOTHING_DECLARED, Declared
from pipeline.types import (
    Claim,
    DocumentRef,
    EmbeddingCall,
    EmbeddingFault,
    EmbeddingModel,
    EmbeddingReply,
    Failure,
    Hit,
    Point,
    PointMove,
    Priority,
    Retirement,
    Scope,
    SearchFilter,
    Stage,
    StoredPoint,
    Token,
    Vector,
)
from pipeline.upsert import DocumentPlan
from pipeline.work import (
    ChunksMade,
    ChunkWork,
    EmbedWork,
    OutlineMade,
    ParseWork,
    Reservation,
    Stray,
    Swept,
    UpsertWork,
)


class Embedder(Protocol):
    """Turns texts into vectors of one model. Lengths of reply and call always agree, and so do dimensions."""

    @property
    def model(self) -> EmbeddingModel:
        """The model whose vectors this embedder returns."""

    def embed(
        self, calls: Sequence[EmbeddingCall], is_halted: Callable[[], bool] = lambda: False
    ) -> Iterator[EmbeddingReply | EmbeddingFault]:
        """Make the calls, several at once, and yield each reply as soon as it is there, in any order.

        A call that failed yields a fault instead, after the adapter's own quick retries; the others go on.
        Every call yields exactly once, and every text of it is in the reply's call, in one of its faults, or in that
        of the whole call. From when ``is_halted`` on, calls that were not begun fail as ``NotBegun``.
        """

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query.

        Raises:
            TransientError: The provider does not answer or asks to wait.
            MisconfiguredError: The provider refuses the credentials or the model.
        """

    def close(self) -> None:
        """Release connections; safe to call twice."""


class QueryEmbedder(Protocol):
    """The part of an embedder that a search uses."""

    def embed_query(self, text: str) -> Vector:
        """Return the vector for a search query; see ``Embedder``."""


class Limiter(Protocol):
    """The provider's budget, shared by every process that calls it; what it promises stands in ``pipeline.budget``."""

    def acquire(self, tokens: int, patience: float) -> float:
        """Reserve one call of so many tokens; return how long to wait before it is sent, ``patience`` (s) at most.

        Every try of a call is one to the provider, so each asks anew.

        Raises:
            RateLimited: Its turn is further away than that; nothing is reserved. Says when to ask again.
            ServiceUnavailable: Nobody can say what the others have called.
            BadCredentials: The store of the budget refuses the password.
        """

    def settle(self, estimated: int, actual: int) -> None:
        """Give back, or charge, what a call's tokens differed from those reserved. Never raises: it is paid for."""

    def pause(self, seconds: float) -> None:
        """Let nobody call for so long, because the provider said so. Never raises."""

    def paused(self) -> float:
        """Return for how many seconds nobody may call: for those who have waited for their turn meanwhile.

        Raises:
            ServiceUnavailable, BadCredentials: As ``acquire``.
        """

    def close(self) -> None:
        """Release connections; safe to call twice."""


class Index(Protocol):
    """The vector index of one embedding model. Every call with a scope is confined to it (tenant and project).

    Writes return when the index has applied them. They are conditional on generations, so that a writer that
    comes late can never overwrite or remove what a newer generation wrote.

    Raises (every method):
        ServiceUnavailable: The index does not answer.
        BadCredentials: The index refuses the key.
        DimensionMismatch: The collection holds vectors of other dimensions than the model's.
    """

    def ensure(self) -> None:
        """Create the collection, its alias and its payload indexes where they are missing. Idempotent."""

    def upsert(self, scope: Scope, points: Sequence[Point]) -> None:
        """Write the points. A stored point whose generation is above the new one's stays as it is."""

    def move(self, scope: Scope, moves: Sequence[PointMove]) -> None:
        """Replace the payloads of existing points, each only where the stored generation is not above the new."""

    def delete(self, scope: Scope, retirements: Sequence[Retirement]) -> None:
        """Delete the points whose stored generation is below the retirement's ``below``; absent ones are fine."""

    def retrieve(self, scope: Scope, ids: Sequence[UUID]) -> Mapping[UUID, StoredPoint]:
        """Return what the index holds for these ids within the scope; absent ids are absent."""

    def search(self, scope: Scope, vectors: SearchVectors, limit: int, where: SearchFilter) -> Sequence[Hit]:
        """Return the best points, best first, at most ``limit``, as ``pipeline.search`` says; one request.

        By the dense vector: the nearest by cosine similarity. By the sparse one: those that share a word, by the sum
        of products, the query's weights multiplied by the IDF of all points that have a sparse vector.
        """

    def count(self, scope: Scope) -> int:
        """Return how many points the scope holds, exactly."""

    def scan(self, scope: Scope | None, after: PointId | None, limit: int) -> Sequence[IndexedPoint]:
        """Return the next points in id order; None: of all scopes, whoever wrote them. Makes no collection."""

    def look_up(self, ids: Sequence[PointId]) -> Mapping[PointId, IndexedPoint]:
        """Return what stands under these ids in any scope; absent ids are absent. Makes no collection."""

    def remove(self, removals: Sequence[Removal]) -> None:
        """Delete points of any scope, each unless its generation is the removal's ``below`` or more."""

    def ping(self) -> None:
        """Return when the index answers."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


class Ledger(Protocol):
    """The truth, as the stages and the dispatcher need it. Every method is one transaction.

    Methods that take a claim and commit a stage, or reserve what is to be paid for, write nothing and raise
    ``ClaimLost`` when the lease was taken over. Every method raises ``ServiceUnavailable`` when the store does not
    answer.
    """

    def claim(self, token: Token, worker: str, lease_seconds: float) -> Claim | None:
        """Claim what the token allows; None if it is stale or a duplicate."""

    def extend(self, claim: Claim, lease_seconds: float) -> bool:
        """Extend the lease; False if it was taken over."""

    def keep_reserved(self, claim: Claim, lease_seconds: float) -> bool:
        """Keep a cancelled slice's reservations while the calls of its worker are in flight; False: not cancelled."""

    def is_halted(self, claim: Claim) -> bool:
        """Return whether the claim's run, or the whole fleet, is paused: then the stage stops where it safely can."""

    def hand_back(
        self,
        claim: Claim,
        error: str,
        message: str,
        delay_seconds: float,
        *,
        forgive: bool,
        trace: str = "",
        stage: Stage | None = None,
    ) -> bool:
        """Give the slice back to be tried again after a delay; ``forgive``: this was no attempt.

        ``stage`` is the one to begin again at; None: the claim's. What a cancelled slice had reserved is free then.
        """

    def report_crash(self, token: Token, worker: str, crash: Crash, retry_seconds: float) -> bool:
        """Take a slice back from a worker process that is gone; False if it held no claim on it any more."""

    def documents_to_parse(self, claim: Claim, version: int) -> Sequence[ParseWork]:
        """Return the slice's current revisions that have no outline of this version."""

    def commit_outlines(
        self, claim: Claim, version: int, made: Sequence[OutlineMade], failures: Sequence[Failure]
    ) -> None:
        """Store outlines and failures, and advance to chunk."""

    def documents_to_chunk(self, claim: Claim, version: int) -> Sequence[ChunkWork]:
        """Return the slice's current revisions with their bytes and outlines."""

    def commit_chunk_sets(self, claim: Claim, made: Sequence[ChunksMade], failures: Sequence[Failure]) -> None:
        """Store chunk sets and failures, and advance to embed."""

    def register_model(self, model: EmbeddingModel, header_version: int) -> None:
        """Record the model, once."""

    def documents_to_embed(self, claim: Claim) -> Sequence[EmbedWork]:
        """Return the slice's current chunk sets with the bytes they are cut from."""

    def reserve_embeddings(self, claim: Claim, model: EmbeddingModel, hashes: Sequence[bytes]) -> Reservation:
        """Reserve the inputs that nobody has bought or is buying."""

    def save_reply(self, claim: Claim, model: EmbeddingModel, reply: EmbeddingReply) -> None:
        """Commit what one provider call brought; needs no lease, for it is paid for."""

    def record_rejected(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """Record documents whose input the provider refuses, before the others' inputs are bought."""

    def commit_embedded(self, claim: Claim, failures: Sequence[Failure]) -> None:
        """Record failures, release what was reserved in vain, and advance to upsert."""

    def vectors(self, model: EmbeddingModel, hashes: Sequence[bytes]) -> Mapping[bytes, Vector]:
        """Return the stored vectors of these inputs; absent ones are absent."""

    def documents_to_upsert(self, claim: Claim) -> Sequence[UpsertWork]:
        """Return the slice's unfinished documents with their new and their committed chunks."""

    def commit_chunks(self, claim: Claim, plans: Sequence[DocumentPlan], model: EmbeddingModel) -> frozenset[UUID]:
        """Make the plans' chunks the committed ones where no newer generation won; return those documents."""

    def finish_slice(self, claim: Claim, purged: Collection[UUID], failures: Sequence[Failure]) -> None:
        """Drop the rows of verified deletions, record every outcome, and end the slice."""

    def strays(self, written: Iterable[tuple[UUID, DocumentRef]]) -> Sequence[Stray]:
        """Return which of these points no committed chunk stands for, in documents overtaken since."""

    def take_ready(self, window: int, *, oldest_first: bool, queued: int = 0) -> Sequence[Token]:
        """Mark ready slices as dispatched, within the window, and return their tokens; ``queued`` messages wait."""

    def put_back(self, token: Token) -> None:
        """Make a slice ready again whose message could not be sent."""

    def sweep(self, dispatch_timeout: float) -> Swept:
        """Bring back slices whose lease expired or whose message was lost; end cancelled and exhausted ones."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


class Source(Protocol):
    """Where files come from. Close it when the last file is read."""

    @property
    def complete(self) -> bool:
        """Whether the last walk ended and saw everything, so that a document it did not find is gone."""

    def covers(self, path: str) -> bool:
        """Return whether the walk looks at this path at all; a walk confined to one file covers no other."""

    def walk(self) -> Iterator[WalkItem]:
        """Yield every path in code-point order, without reading any file."""

    def read(self, path: str, declared: Declared = NOTHING_DECLARED) -> FileContent | Skip:
        """Read one file that the walk found, unless its content is not admitted; ``declared`` is what it found with it.

        Raises:
            Vanished: It is gone.
            Unreadable: It cannot be read, or it changes while it is read.
        """

    def close(self) -> None:
        """Release the source; safe to call twice."""


class Intake(Protocol):
    """The ledger as producers need it. Nothing is sent before it is committed here."""

    def planning(
        self, source: SourceRef, priority: Priority, *, patience: float, on_wait: Callable[[], None]
    ) -> AbstractContextManager[OpenRun]:
        """Open a run and be the only one who plans its source for the block; wait ``patience`` seconds for that."""

    def known_documents(self, source: SourceRef, versions: str) -> Iterator[KnownDocument]:
        """Yield the source's documents in the order of their paths."""

    def join(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> frozenset[str]:
        """Let the run wait for the slices that bring these revisions in; return the paths where there is one."""

    def accept(self, run: OpenRun, documents: Sequence[AcceptedDocument]) -> None:
        """Take on one slice of new revisions."""

    def accept_deletions(self, run: OpenRun, deletions: Sequence[AcceptedDeletion]) -> None:
        """Take on one slice of deletions."""

    def record_broken(self, run: OpenRun, broken: Sequence[BrokenDocument]) -> None:
        """Record files that could not be read as failed in this run."""

    def refresh_stats(self, stats: Sequence[FreshStatus]) -> None:
        """Remember newer file status of unchanged documents."""

    def close(self, run: OpenRun, summary: PlanSummary) -> None:
        """End the planning of a run."""


class Control(Protocol):
    """Cancels, pauses and resumes. Doing it twice changes nothing.

    A request is a row in the ledger. Whoever sends, claims or holds a slice looks at it, so it holds for workers that
    are down at the time as well.

    Raises (every method about a run):
        UnknownRun: The tenant has no such run.
        RunEnded: It has ended, and not because of the same request.
    """

    def cancel(self, tenant: str, run_id: UUID) -> None:
        """End a run: what it has not brought in yet stays as it was before."""

    def pause(self, tenant: str, run_id: UUID) -> None:
        """Let no worker begin a stage of a run; those at work stop where nothing paid for is lost."""

    def resume(self, tenant: str, run_id: UUID) -> None:
        """Let a paused run go on."""

    def pause_fleet(self) -> None:
        """Pause every run of every tenant, those still to come included."""

    def resume_fleet(self) -> None:
        """Let the fleet work again; a run that was paused by itself stays so."""

    def is_fleet_paused(self) -> bool:
        """Return whether the fleet is paused."""
