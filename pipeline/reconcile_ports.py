"""What a reconciliation needs of the ledger, besides the index: no embedder, for a repair buys nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pipeline.ports import Index
from pipeline.reconcile import Drift, ExpectedPoint, PointId, Standing, Suspect
from pipeline.reconciliation import PassCounts, ReconciliationState
from pipeline.types import EmbeddingModel, Scope, Vector


class ReconciliationLost(Exception):
    """The lease on this reconciliation was taken over; another pass is on its way."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The right to run a reconciliation. ``owner`` is fresh for every pass."""

    id: UUID
    owner: UUID


class ClaimedSuspects(Protocol):
    """Suspects whose documents are claimed: nobody commits chunks or accepts revisions of them meanwhile."""

    @property
    def standings(self) -> Mapping[PointId, Standing]:
        """What the ledger says of each suspect."""

    @property
    def busy(self) -> Mapping[UUID, Sequence[Suspect]]:
        """Suspects that have no standing because somebody else holds their document, by document."""

    def vectors(self, hashes: Collection[bytes]) -> Mapping[bytes, Vector]:
        """Return the stored vectors of these inputs; absent ones are absent."""

    def contents(self, revisions: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield each revision with its bytes, few in memory at once; absent ones are absent."""


class ReconciliationLedger(Protocol):
    """The truth, as a reconciliation needs it. Every method is one transaction.

    Raises (every method):
        ServiceUnavailable: The store does not answer.
    """

    def begin(self, scope: Scope | None, *, is_repair: bool, lease_seconds: float) -> Pass | None:
        """Open a pass over a scope, or over everything; None while another one is running."""

    def extend(self, held: Pass, counts: PassCounts, lease_seconds: float) -> None:
        """Extend the lease and show how far the pass is.

        Raises:
            ReconciliationLost: It was taken over.
        """

    def finish(self, held: Pass, counts: PassCounts, state: ReconciliationState, message: str) -> None:
        """End the pass.

        Raises:
            ReconciliationLost: It was taken over.
        """

    def expected(
        self, model: EmbeddingModel, scope: Scope | None, after: UUID | None, limit: int
    ) -> Sequence[ExpectedPoint]:
        """Return the model's next committed chunks in id order."""

    def claimed(
        self, model: EmbeddingModel, suspects: Sequence[Suspect], *, wait: bool
    ) -> AbstractContextManager[ClaimedSuspects]:
        """Claim the suspects' documents for the block. Unless it is to wait, what others hold is left out.

        Wait for one document at a time only: who holds some and waits for others can run into a deadlock.
        """

    def save_drifts(self, held: Pass, drifts: Sequence[Drift]) -> None:
        """Record confirmed drifts, which makes them the queue of the repair."""

    def unrepaired(self, held: Pass, after: PointId | None, limit: int) -> Sequence[Suspect]:
        """Return the pass's next drifts in id order that are not mended."""

    def mark_repaired(self, held: Pass, ids: Collection[PointId]) -> None:
        """Record that these drifts are mended and read back."""

    def outdate(self, documents: Collection[UUID]) -> None:
        """Make the next ingestion take these documents on again, even if their files did not change."""


@dataclass(frozen=True, slots=True)
class ReconcilePolicy:
    """How long the lease of a pass lasts without a page (s), and what share of the points a repair may delete."""

    lease_seconds: float
    delete_share: float
    #: Points and chunks per page of the two streams.
    page: int = 1_000
    #: Suspects that are judged, or mended, under one claim.
    batch: int = 256


@dataclass(frozen=True, slots=True)
class ReconcileContext:
    """What a reconciliation works with."""

    ledger: ReconciliationLedger
    index: Index
    model: EmbeddingModel
    policy: ReconcilePolicy
