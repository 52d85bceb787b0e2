"""Compare ledger and index, count what really differs, and mend it from the ledger's own vectors.

A pass merges both sides page by page. What differs is looked at again under its document's claim, and only what is
wrong even then is recorded as a drift: the table of drifts is the queue of the repair, so memory stays constant. The
repair looks at every drift once more under the claim, mends it, and reads it back before it counts as repaired.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TypeVar

from pipeline.errors import ServiceUnavailable
from pipeline.reconcile import (
    Drift,
    ExpectedPoint,
    IndexedPoint,
    Suspect,
    deletes_too_much,
    drift_of,
    find_suspects,
    is_in_flight,
)
from pipeline.reconcile_ports import ClaimedSuspects, Pass, ReconcileContext, ReconciliationLost
from pipeline.reconciliation import PassCounts, PassReport, ReconciliationState
from pipeline.types import Scope
from tasks.mending import Mended, mend

T = TypeVar("T")


def reconcile(
    context: ReconcileContext, scope: Scope | None, *, is_repair: bool, allow_delete: bool = False
) -> PassReport | None:
    """Run one pass over a scope, or over everything; None where another one is running.

    ``allow_delete``: delete points without a chunk however many they are.

    Raises:
        ServiceUnavailable: Index or ledger does not answer; the next pass begins anew.
        MisconfiguredError: The index is not one of this model.
    """
    held = context.ledger.begin(scope, is_repair=is_repair, lease_seconds=context.policy.lease_seconds)
    if held is None:
        return None
    started = time.monotonic()
    work = Reconciliation(context, held, scope)
    try:
        state, message = work.run(is_repair=is_repair, allow_delete=allow_delete)
        context.ledger.finish(held, work.counts, state, message)
    except ReconciliationLost:
        state, message = ReconciliationState.INTERRUPTED, "another pass took over; look at that one"
    except (KeyboardInterrupt, SystemExit):
        _record_end(context, held, work.counts, ReconciliationState.INTERRUPTED, "its process was told to end")
        raise
    except Exception as exc:  # the one place that records what ended a pass, and lets it fail
        _record_end(context, held, work.counts, ReconciliationState.FAILED, f"{type(exc).__name__}: {exc}")
        raise
    seconds = round(time.monotonic() - started, 3)
    return PassReport(held.id, is_repair, state, work.counts, seconds, message)


def _record_end(
    context: ReconcileContext, held: Pass, counts: PassCounts, state: ReconciliationState, message: str
) -> None:
    """Say in the ledger why the pass ended. Where even that fails, its lease expires and the next pass says so."""
    with suppress(ServiceUnavailable, ReconciliationLost):
        context.ledger.finish(held, counts, state, message)


class Reconciliation:
    """One pass that holds the lease."""

    def __init__(self, context: ReconcileContext, held: Pass, scope: Scope | None) -> None:
        self._ledger = context.ledger
        self._index = context.index
        self._model = context.model
        self._policy = context.policy
        self._held = held
        self._scope = scope
        self.counts = PassCounts()

    def run(self, *, is_repair: bool, allow_delete: bool) -> tuple[ReconciliationState, str]:
        """Find every drift, then mend them; return how it ended and what is to be done.

        Raises:
            ReconciliationLost: The lease was taken over.
        """
        if is_repair:
            # What nobody can write to is found out first; a dropped collection is made again, and all of it missing.
            self._index.ensure()
        for suspects in _batches(find_suspects(self._expected(), self._indexed()), self._policy.batch):
            found: list[Drift] = []
            self._under_claim(suspects, partial(self._confirm, found=found))
            if found:
                self._ledger.save_drifts(self._held, found)
            self._extend()
        if not is_repair:
            return ReconciliationState.FINISHED, ""
        if not allow_delete and deletes_too_much(self.counts, self._policy.delete_share):
            return ReconciliationState.REFUSED, _refusal(self.counts, self._policy.delete_share)
        return ReconciliationState.FINISHED, self._repair()

    # --- both streams, page by page

    def _expected(self) -> Iterator[ExpectedPoint]:
        page: Sequence[ExpectedPoint] = ()
        while page := self._ledger.expected(self._model, self._scope, page[-1].id if page else None, self._policy.page):
            self.counts.compared += len(page)
            self._extend()
            yield from page

    def _indexed(self) -> Iterator[IndexedPoint]:
        page: Sequence[IndexedPoint] = ()
        while page := self._index.scan(self._scope, page[-1].id if page else None, self._policy.page):
            self.counts.scanned += len(page)
            self._extend()
            yield from page

    def _extend(self) -> None:
        self._ledger.extend(self._held, self.counts, self._policy.lease_seconds)

    # --- under the claim

    def _under_claim(self, suspects: Sequence[Suspect], act: Callable[[ClaimedSuspects], None]) -> None:
        """Act on suspects while their documents are claimed; documents that others hold come later, one by one."""
        with self._ledger.claimed(self._model, suspects, wait=False) as claimed:
            act(claimed)
            busy = dict(claimed.busy)
        for group in busy.values():
            with self._ledger.claimed(self._model, group, wait=True) as claimed:
                act(claimed)
                self.counts.deferred += sum(map(len, claimed.busy.values()))

    def _confirm(self, claimed: ClaimedSuspects, found: list[Drift]) -> None:
        stored = self._index.look_up(list(claimed.standings))
        for point_id, standing in claimed.standings.items():
            point = stored.get(point_id)
            if is_in_flight(standing, point):
                self.counts.deferred += 1
            elif kind := drift_of(standing, point):
                found.append(Drift(point_id, standing.document_id, kind))
                self.counts.add(kind)

    # --- the repair

    def _repair(self) -> str:
        """Mend every drift found; return what is left to do."""
        outdated, unread, last = 0, 0, None
        while suspects := self._ledger.unrepaired(self._held, last, self._policy.batch):
            last = suspects[-1].id
            mended = Mended()
            self._under_claim(suspects, partial(mend, self._index, mended=mended))
            self._ledger.mark_repaired(self._held, mended.done)
            if mended.without_vector:
                # After the claim, which this would wait for.
                self._ledger.outdate(frozenset(mended.without_vector.values()))
            outdated += len(mended.without_vector)
            unread += len(mended.unread)
            self.counts.repaired += len(mended.done)
            self.counts.deferred += len(mended.deferred)
            self.counts.failed = outdated + unread
            self._extend()
        return _leftovers(outdated, unread)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def _refusal(counts: PassCounts, share: float) -> str:
    return (
        f"it would delete {counts.orphan:,} of {counts.scanned:,} points, more than {share:.0%}"
        " (MOBIUS_RECONCILE_DELETE_SHARE); nothing was mended. Check that DATABASE_URL, QDRANT_URL and the model are"
        " those that belong together, then run `mobius reconcile --repair --allow-delete`."
    )


def _leftovers(outdated: int, unread: int) -> str:
    parts = []
    if outdated:
        parts.append(
            f"{outdated:,} chunks have no vector in the ledger: run `mobius ingest` again for their sources, which buys"
            " them, and reconcile after it."
        )
    if unread:
        parts.append(f"{unread:,} points did not read back as they were written; the next pass tries again.")
    return " ".join(parts)
