"""Bring a slice's documents into the index: write, read back, commit, retire, verify, done.

Points are written before the ledger commits them, so search never shows a half-written revision; it switches when
the chunks are committed. A worker that finds itself overtaken, before or after it wrote, removes what it may have
written that no committed chunk stands for: also when it was asleep past its lease while a newer revision went by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from pipeline.chunk_codec import unpack_chunks
from pipeline.errors import ClaimLost, MalformedDocument, PermanentError
from pipeline.identity import model_id
from pipeline.parse.decode import text_of
from pipeline.types import Action, Chunk, Claim, DocumentRef, Failure, Point, Retirement, StoredPoint, Vector
from pipeline.upsert import (
    DocumentPlan,
    ReadBackFailed,
    lost_moves,
    moves_of,
    plan_document,
    points_of,
    verify_deleted,
    verify_written,
    versions_of,
    writes_like,
)
from pipeline.versions import MadeByOlder
from pipeline.work import UpsertWork
from tasks.base import StageContext

Written = list[tuple[UUID, DocumentRef]]

#: What a document's chunks were cut from, and its encoding.
Texts = Mapping[UUID, tuple[bytes, str]]


class NotEmbedded(PermanentError):
    """Its embeddings are not those of this worker's model, which was changed meanwhile; ingest it again."""


def bring_to_index(context: StageContext, claim: Claim) -> dict[str, int]:
    """Run the upsert stage of a slice and finish it.

    Raises:
        ClaimLost: The lease was taken over; what was written in vain is removed again.
        TransientError: The index or the ledger asks to try later.
    """
    work = context.ledger.documents_to_upsert(claim)
    remove_strays(context, claim, _earlier_writes(work))
    plans, failures = _plans(context, work)
    vectors = _vectors(context, plans)
    failures += [_without_vectors(plan) for plan in plans if not _is_embedded(plan, vectors)]
    plans = [plan for plan in plans if _is_embedded(plan, vectors)]
    written = [(point_id, plan.document) for plan in plans for point_id in plan.touched]
    texts = {item.document.id: (item.data, item.encoding) for item in work if item.data is not None}
    context.stop_if_halted()
    try:
        _write(context, claim, plans, vectors, texts)
        committed = context.ledger.commit_chunks(claim, plans, context.embedder.model)
        remove_strays(context, claim, [pair for pair in written if pair[1].id not in committed])
        purged = _retire(context, claim, plans, committed)
        context.ledger.finish_slice(claim, purged, failures)
    except (ClaimLost, ReadBackFailed):
        # Points may also be absent because whoever took over removed them; those that came later are still there.
        remove_strays(context, claim, written)
        raise
    return {
        "documents": len(committed),
        "superseded": len(work) - len(committed) - len(failures),
        "written": sum(len(plan.writes) for plan in plans),
        "moved": sum(len(plan.moves) for plan in plans),
        "deleted": len(purged),
        "failed": len(failures),
    }


def remove_strays(context: StageContext, claim: Claim, written: Written) -> None:
    """Delete those of these points that a superseded generation left behind."""
    strays = context.ledger.strays(written)
    if strays:
        context.index.delete(claim.scope, [Retirement(stray.point_id, stray.generation + 1) for stray in strays])


def _earlier_writes(work: Sequence[UpsertWork]) -> Written:
    """Return what an earlier attempt may have written for documents that are superseded by now."""
    superseded = [(item.document, item.packed) for item in work if item.is_superseded and item.packed is not None]
    return [(chunk.id, document) for document, packed in superseded for chunk in _readable(document, packed)]


def _readable(document: DocumentRef, packed: bytes) -> tuple[Chunk, ...]:
    try:
        return unpack_chunks(document, packed).chunks
    except MadeByOlder:
        # Nobody makes these again. What was written of them is never shown, and the next reconciliation removes it.
        return ()


def _plans(context: StageContext, work: Sequence[UpsertWork]) -> tuple[list[DocumentPlan], list[Failure]]:
    model = model_id(context.embedder.model.key)
    plans: list[DocumentPlan] = []
    failures: list[Failure] = []
    for item in work:
        if item.is_superseded:
            continue
        if item.action is Action.DELETE:
            plan = plan_document(item.document, (), item.committed, model)
            plans.append(replace(plan, versions=context.versions))
        elif item.packed is None or item.data is None:
            # Absent never reads as zero: without its chunk set nothing may be retired.
            message = "its chunks or its bytes are missing; run again"
            failures.append(Failure(item.document.id, MalformedDocument.__name__, message))
        else:
            made = unpack_chunks(item.document, item.packed)
            versions = versions_of(made.versions, context.versions)
            is_rewrite = item.follows_gap or not writes_like(item.versions, versions)
            plan = plan_document(item.document, made.chunks, item.committed, model, is_rewrite=is_rewrite)
            plans.append(replace(plan, imports=made.imports, versions=versions))
    return plans, failures


def _vectors(context: StageContext, plans: Sequence[DocumentPlan]) -> Mapping[bytes, Vector]:
    hashes = [chunk.embed_hash for plan in plans for chunk in plan.writes]
    return context.ledger.vectors(context.embedder.model, hashes) if hashes else {}


def _is_embedded(plan: DocumentPlan, vectors: Mapping[bytes, Vector]) -> bool:
    return all(chunk.embed_hash in vectors for chunk in plan.writes)


def _without_vectors(plan: DocumentPlan) -> Failure:
    """Say what happens to a slice whose embed stage was run by workers with another model."""
    error = NotEmbedded()
    return Failure(plan.document.id, error.code, str(error))


def _write(
    context: StageContext,
    claim: Claim,
    plans: Sequence[DocumentPlan],
    vectors: Mapping[bytes, Vector],
    texts: Texts,
) -> None:
    points = _points(claim, plans, vectors, texts)
    moves = [move for plan in plans for move in moves_of(claim, plan)]
    if points:
        context.index.upsert(claim.scope, points)
    if moves:
        context.index.move(claim.scope, moves)
    touched = [point_id for plan in plans for point_id in plan.touched]
    if touched:
        stored = context.index.retrieve(claim.scope, touched)
        lost = lost_moves(plans, stored)
        verify_written(plans, {**stored, **_write_lost(context, claim, lost, texts)} if lost else stored)


def _write_lost(
    context: StageContext, claim: Claim, lost: Sequence[DocumentPlan], texts: Texts
) -> Mapping[UUID, StoredPoint]:
    """Write whole points where there was nothing to move, and read them back.

    Raises:
        NotEmbedded: The ledger has lost their vectors as well.
    """
    vectors = _vectors(context, lost)
    if not all(_is_embedded(plan, vectors) for plan in lost):
        raise NotEmbedded
    context.index.upsert(claim.scope, _points(claim, lost, vectors, texts))
    return context.index.retrieve(claim.scope, [point_id for plan in lost for point_id in plan.touched])


def _points(claim: Claim, plans: Sequence[DocumentPlan], vectors: Mapping[bytes, Vector], texts: Texts) -> list[Point]:
    return [
        point
        for plan in plans
        if plan.writes
        for point in points_of(claim, plan, vectors, text_of(*texts[plan.document.id]))
    ]


def _retire(
    context: StageContext, claim: Claim, plans: Sequence[DocumentPlan], committed: Collection[UUID]
) -> list[UUID]:
    retirements = [item for plan in plans if plan.document.id in committed for item in plan.retirements]
    if retirements:
        context.index.delete(claim.scope, retirements)
        verify_deleted(retirements, context.index.retrieve(claim.scope, [item.id for item in retirements]))
    return [item.id for item in retirements]
