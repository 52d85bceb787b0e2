"""Turn a walk into a run: read what may have changed, accept it slice by slice, and delete only what may go.

The plan is a stream; memory is bounded by one slice whatever the size of the source. Slices are committed while the
walk goes on, so the workers start with the first one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from pipeline.errors import Unreadable
from pipeline.identity import revision_of
from pipeline.intake import (
    AcceptedDeletion,
    AcceptedDocument,
    BrokenDocument,
    FreshStatus,
    OpenRun,
    PlanSummary,
    SourceRef,
)
from pipeline.parse.languages import HEAD_BYTES, detect_language
from pipeline.plan import (
    Broken,
    Change,
    Delete,
    KnownDocument,
    PlanStep,
    Read,
    Skipped,
    Unchanged,
    classify,
    marked,
    may_delete,
    pack_slices,
    plan_walk,
)
from pipeline.policy import Skip
from pipeline.ports import Intake, Source
from pipeline.reading import reading_of
from pipeline.sources import Vanished
from pipeline.types import Priority

#: Seconds to wait while another producer plans the same source.
PATIENCE = 600.0
#: Rows per statement for what needs no slice: refreshed file status, broken files.
BATCH = 500


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How a producer wants its source planned. ``delete_share`` (0 to 1) may be deleted without ``allow_delete``.

    ``patience``: seconds to wait while another producer plans the same source. ``skip_traits``: what the source's
    policy skips by its content.
    """

    versions: str
    priority: Priority = Priority.NORMAL
    allow_delete: bool = False
    delete_share: float = 0.5
    slice_documents: int = 64
    slice_bytes: int = 1024 * 1024
    skip_traits: frozenset[str] = frozenset()
    patience: float = PATIENCE


class PlanReporter(Protocol):
    """Is told what a plan does while it does it."""

    def opened(self, run_id: UUID) -> None:
        """The run exists now."""

    def waiting(self) -> None:
        """Another producer plans the same source; this one waits."""

    def planned(self, seen: int, accepted: int) -> None:
        """So many files were met, and so many taken on, until now."""

    def skipped(self, skip: Skip) -> None:
        """A path is no document, for a reason."""


@dataclass(slots=True)
class _Tally:
    """What a plan counts on its way."""

    seen: int = 0
    known: int = 0
    unchanged: int = 0
    accepted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    deletions: list[AcceptedDeletion] = field(default_factory=list)
    fresh_stats: list[FreshStatus] = field(default_factory=list)
    broken: list[BrokenDocument] = field(default_factory=list)


def plan_run(intake: Intake, source: Source, ref: SourceRef, options: PlanOptions, report: PlanReporter) -> UUID:
    """Plan a run over a source and commit it; return the run's id. Whatever was committed is processed.

    Raises:
        SourceBusy: Another producer plans this source and does not finish.
        ServiceUnavailable: Postgres does not answer.
    """
    with intake.planning(ref, options.priority, patience=options.patience, on_wait=report.waiting) as run:
        report.opened(run.id)
        plan = _Plan(intake, source, run, options, report)
        plan.execute()
        return run.id


class _Plan:
    def __init__(
        self, intake: Intake, source: Source, run: OpenRun, options: PlanOptions, report: PlanReporter
    ) -> None:
        self._intake = intake
        self._source = source
        self._run = run
        self._options = options
        self._report = report
        self._tally = _Tally()

    def execute(self) -> None:
        """Carry the plan out, step by step."""
        options, tally = self._options, self._tally
        slices = pack_slices(
            self._accepted(), lambda document: len(document.data), options.slice_documents, options.slice_bytes
        )
        for documents in slices:
            self._accept(documents)
            tally.accepted += len(documents)
            self._report.planned(tally.seen, tally.accepted)
        self._flush(0)
        message, withheld = self._delete()
        summary = PlanSummary(
            seen=tally.seen,
            unchanged=tally.unchanged,
            skipped=dict(tally.skipped),
            withheld=withheld,
            message=message,
            is_complete=self._source.complete,
        )
        self._intake.close(self._run, summary)

    def _accept(self, documents: list[AcceptedDocument]) -> None:
        """Accept what no other run is bringing in already; wait with that run for the rest."""
        in_flight = [document for document in documents if document.is_in_flight]
        joined = self._intake.join(self._run, in_flight) if in_flight else frozenset()
        left = [document for document in documents if document.path not in joined]
        if left:
            self._intake.accept(self._run, left)

    def _accepted(self) -> Iterator[AcceptedDocument]:
        known = self._intake.known_documents(self._run.source, self._options.versions)
        for step in plan_walk(self._source.walk(), self._counted(known), self._options.skip_traits):
            document = self._step(step)
            if document is not None:
                yield document
            self._flush(BATCH)

    def _counted(self, known: Iterator[KnownDocument]) -> Iterator[KnownDocument]:
        for document in known:
            # A path that could never be read (generation 0) is no document yet: nothing of it can be deleted.
            if document.generation > 0 and self._source.covers(document.path):
                self._tally.known += 1
                yield document

    def _step(self, step: PlanStep) -> AcceptedDocument | None:
        tally = self._tally
        match step:
            case Unchanged():
                tally.seen += 1
                tally.unchanged += 1
            case Skipped(skip):
                self._skip(skip)
            case Delete(known):
                tally.deletions.append(AcceptedDeletion(known.id, known.generation))
            case Broken(path, error, message, known):
                tally.seen += 1
                tally.broken.append(BrokenDocument(path, error, message, is_new=known is None))
            case Read():
                return self._read(step)
        return None

    def _read(self, step: Read) -> AcceptedDocument | None:
        tally, path, known, declared = self._tally, step.path, step.known, step.declared
        try:
            content = self._source.read(path, declared)
        except Vanished:
            self._gone(known)
            return None
        except Unreadable as exc:
            tally.seen += 1
            tally.broken.append(BrokenDocument(path, exc.code, str(exc), is_new=known is None))
            return None
        if isinstance(content, Skip):
            self._skip(content)
            self._gone(known)
            return None
        tally.seen += 1
        revision = revision_of(content.data)
        stat = marked(content.trusted_stat or "", declared)
        reading = reading_of(path, content.data, declared)
        change = classify(revision, known)
        # What its points say of it is to change, although its bytes are not.
        is_told_alike = known is not None and (known.traits or frozenset()) == reading.traits
        if known is not None and change is Change.UNCHANGED and is_told_alike:
            tally.unchanged += 1
            tally.fresh_stats.append(FreshStatus(known.id, known.generation, stat, reading))
            return None
        language = detect_language(path, content.data[:HEAD_BYTES])
        in_flight = change is Change.IN_FLIGHT and is_told_alike
        return AcceptedDocument(path, language, content.data, revision, stat, known is None, in_flight, reading)

    def _gone(self, known: KnownDocument | None) -> None:
        if known is not None:
            self._tally.deletions.append(AcceptedDeletion(known.id, known.generation))

    def _skip(self, skip: Skip) -> None:
        self._tally.seen += 1
        self._tally.skipped[skip.reason.value] += 1
        self._report.skipped(skip)

    def _flush(self, threshold: int) -> None:
        tally = self._tally
        if len(tally.fresh_stats) > threshold:
            self._intake.refresh_stats(tally.fresh_stats)
            tally.fresh_stats = []
        if len(tally.broken) > threshold:
            self._intake.record_broken(self._run, tally.broken)
            tally.broken = []

    def _delete(self) -> tuple[str, int]:
        """Delete what may go; return why not and how many wait, where it may not."""
        tally, options = self._tally, self._options
        verdict = may_delete(
            tally.known,
            len(tally.deletions),
            complete=self._source.complete,
            share=options.delete_share,
            allowed=options.allow_delete,
        )
        if verdict.is_refused:
            return verdict.message, len(tally.deletions)
        for batch in pack_slices(tally.deletions, lambda _: 0, options.slice_documents, options.slice_bytes):
            self._intake.accept_deletions(self._run, batch)
        return "", 0
