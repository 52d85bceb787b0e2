"""The ledger's side of a reconciliation in memory, with committed chunks and claims that a test sets by hand."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from pipeline.reconcile import CommittedPoint, Drift, ExpectedPoint, PointId, Standing, Suspect, rank
from pipeline.reconcile_ports import Pass, ReconciliationLost
from pipeline.reconciliation import PassCounts, ReconciliationState
from pipeline.types import EmbeddingModel, Scope, Vector


@dataclass(slots=True)
class FakeClaimed:
    """See ``pipeline.reconcile_ports.ClaimedSuspects``."""

    standings: Mapping[PointId, Standing]
    busy: Mapping[UUID, Sequence[Suspect]]
    known: Mapping[bytes, Vector]
    blobs: Mapping[bytes, bytes]

    def vectors(self, hashes: Collection[bytes]) -> Mapping[bytes, Vector]:
        """See the port."""
        return {each: self.known[each] for each in hashes if each in self.known}

    def contents(self, revisions: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """See the port."""
        return ((each, self.blobs[each]) for each in revisions if each in self.blobs)


@dataclass(slots=True)
class FakeReconciliation:
    """See ``pipeline.reconcile_ports.ReconciliationLedger``.

    ``committed``, ``pending`` (by document), ``known_vectors`` and ``blobs`` are what the ledger holds; ``held`` are
    documents that somebody else has claimed for the moment. ``fault`` is raised by the next extension of the lease.
    """

    committed: dict[UUID, CommittedPoint] = field(default_factory=dict)
    pending: dict[UUID, frozenset[int]] = field(default_factory=dict)
    known_vectors: dict[bytes, Vector] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    held: set[UUID] = field(default_factory=set)
    fault: BaseException | None = None
    running: Pass | None = None
    drifts: dict[PointId, Drift] = field(default_factory=dict)
    repaired: set[PointId] = field(default_factory=set)
    outdated: set[UUID] = field(default_factory=set)
    claims: list[tuple[int, bool]] = field(default_factory=list)
    ends: list[tuple[ReconciliationState, str, PassCounts]] = field(default_factory=list)

    def begin(self, scope: Scope | None, *, is_repair: bool, lease_seconds: float) -> Pass | None:  # noqa: ARG002  the port's
        """See the port."""
        if self.running is not None:
            return None
        self.drifts, self.repaired = {}, set()
        self.running = Pass(uuid4(), uuid4())
        return self.running

    def extend(self, held: Pass, counts: PassCounts, lease_seconds: float) -> None:  # noqa: ARG002  the port's
        """See the port."""
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        self._require(held)

    def finish(self, held: Pass, counts: PassCounts, state: ReconciliationState, message: str) -> None:
        """See the port."""
        self._require(held)
        self.running = None
        self.ends.append((state, message, replace(counts)))

    def expected(
        self,
        model: EmbeddingModel,  # noqa: ARG002  the port's
        scope: Scope | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[ExpectedPoint]:
        """See the port."""
        found = [
            each.expected
            for each in self.committed.values()
            if scope in {None, each.expected.scope} and (after is None or rank(each.expected.id) > rank(after))
        ]
        return sorted(found, key=lambda each: rank(each.id))[:limit]

    @contextmanager
    def claimed(
        self,
        model: EmbeddingModel,  # noqa: ARG002  the port's
        suspects: Sequence[Suspect],
        *,
        wait: bool,
    ) -> Iterator[FakeClaimed]:
        """See the port. Who waits gets what somebody else held, for they let go of it."""
        self.claims.append((len(suspects), wait))
        standings: dict[PointId, Standing] = {}
        busy: dict[UUID, list[Suspect]] = {}
        for suspect in suspects:
            standing = self._standing(suspect)
            if standing.document_id in self.held and not wait:
                busy.setdefault(standing.document_id, []).append(suspect)
            else:
                standings[suspect.id] = standing
        yield FakeClaimed(standings, busy, self.known_vectors, self.blobs)

    def save_drifts(self, held: Pass, drifts: Sequence[Drift]) -> None:
        """See the port."""
        self._require(held)
        self.drifts |= {drift.id: drift for drift in drifts}

    def unrepaired(self, held: Pass, after: PointId | None, limit: int) -> Sequence[Suspect]:
        """See the port."""
        self._require(held)
        left = sorted(self.drifts.keys() - self.repaired, key=rank)
        rest = [each for each in left if after is None or rank(each) > rank(after)]
        return [Suspect(each, self.drifts[each].document_id) for each in rest[:limit]]

    def mark_repaired(self, held: Pass, ids: Collection[PointId]) -> None:
        """See the port."""
        self._require(held)
        self.repaired |= set(ids)

    def outdate(self, documents: Collection[UUID]) -> None:
        """See the port."""
        self.outdated |= set(documents)

    def _standing(self, suspect: Suspect) -> Standing:
        chunk = self.committed.get(suspect.id) if isinstance(suspect.id, UUID) else None
        document = suspect.document_id if chunk is None else chunk.expected.document_id
        pending = self.pending.get(document, frozenset()) if document else frozenset()
        newest = max((*pending, chunk.expected.generation if chunk else 0))
        return Standing(document, chunk, is_retired=False, newest=newest, pending=pending)

    def _require(self, held: Pass) -> None:
        if held != self.running:
            raise ReconciliationLost
