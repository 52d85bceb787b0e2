"""The part of a ledger in memory that the upsert stage uses: only the newest generation may commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from pipeline.identity import model_id
from pipeline.states import DocumentEvent, Outcome, SliceEvent
from pipeline.testing.ledger_rows import ChunkRow, SliceRow
from pipeline.testing.ledger_stages import ref_of
from pipeline.testing.ledger_state import LedgerState
from pipeline.types import Action, Claim, DocumentRef, EmbeddingModel, Failure
from pipeline.upsert import DocumentPlan
from pipeline.work import Stray, UpsertWork


class CommitsInMemory:
    """Chunks become the committed ones together; outcomes are recorded with the end of the slice."""

    state: LedgerState

    def documents_to_upsert(self, claim: Claim) -> list[UpsertWork]:
        """See the port."""
        with self.state.transaction() as state:
            work: list[UpsertWork] = []
            for row, document in state.pending(claim.token.slice_id, claim.run_id):
                chunks = state.chunk_sets.get((document.id, row.generation))
                work.append(
                    UpsertWork(
                        document=ref_of(row, document),
                        action=row.action,
                        packed=chunks.packed if chunks is not None else None,
                        committed=tuple(
                            each.committed() for each in state.chunks.values() if each.document_id == document.id
                        ),
                        is_superseded=document.generation > row.generation,
                        follows_gap=document.committed_generation < row.generation - 1,
                        data=state.blobs.get(row.revision) if row.revision is not None else None,
                        encoding=chunks.encoding if chunks is not None else "",
                        versions=document.versions,
                    )
                )
            return work

    def commit_chunks(self, claim: Claim, plans: Sequence[DocumentPlan], model: EmbeddingModel) -> frozenset[UUID]:
        """See the port."""
        with self.state.transaction() as state:
            row = state.fence(claim)
            pending = state.pending(claim.token.slice_id, claim.run_id)
            newest = {document.id for each, document in pending if each.generation == document.generation}
            accepted = [plan for plan in plans if plan.document.id in newest]
            for plan in accepted:
                _commit(state, plan, model_id(model.key))
            state.slices[row.id] = replace(
                row,
                points_written=row.points_written + sum(len(plan.writes) for plan in accepted),
                points_updated=row.points_updated + sum(len(plan.moves) for plan in accepted),
            )
            return frozenset(plan.document.id for plan in accepted)

    def finish_slice(self, claim: Claim, purged: Collection[UUID], failures: Sequence[Failure]) -> None:
        """See the port."""
        with self.state.transaction() as state:
            row = state.fence(claim)
            for chunk_id in purged:
                if chunk_id in state.chunks and state.chunks[chunk_id].retired_at is not None:
                    del state.chunks[chunk_id]
            state.slices[row.id] = replace(row, points_deleted=row.points_deleted + len(purged))
            state.record_failures(claim, failures)
            _record_documents(state, row)
            _record_outcomes(state, row)
            _drop_chunk_sets(state, row)
            state.move_slice(
                SliceEvent.FINISH,
                row.id,
                owner=None,
                lease_until=None,
                finished_at=state.clock(),
                error="",
                message="",
                trace="",
            )

    def strays(self, written: Iterable[tuple[UUID, DocumentRef]]) -> list[Stray]:
        """See the port."""
        with self.state.transaction() as state:
            return [
                Stray(point_id, ref.generation)
                for point_id, ref in written
                if ref.id in state.documents
                and state.documents[ref.id].generation > ref.generation
                and not _stands(state.chunks.get(point_id))
            ]


def _stands(chunk: ChunkRow | None) -> bool:
    return chunk is not None and chunk.retired_at is None


def _commit(state: LedgerState, plan: DocumentPlan, model: UUID) -> None:
    document = state.documents[plan.document.id]
    written = [(chunk, plan.document.generation) for chunk in (*plan.writes, *plan.moves)]
    for chunk, generation in (*written, *plan.shifts):
        state.chunks[chunk.id] = ChunkRow(chunk, document.id, model, generation)
    for chunk_id in plan.retired:
        old = state.chunks.get(chunk_id)
        if old is not None and old.retired_at is None:
            state.chunks[chunk_id] = replace(old, retired_at=state.clock())
    chunks = state.chunk_sets.get((document.id, document.generation))
    state.documents[document.id] = replace(
        document,
        committed_generation=document.generation,
        committed_revision=document.revision,
        versions=plan.versions,
        encoding=chunks.encoding if chunks is not None else "",
        imports=plan.imports,
    )


def _record_documents(state: LedgerState, row: SliceRow) -> None:
    for each, document in state.pending(row.id):
        if not each.generation == document.generation == document.committed_generation:
            continue
        indexed = {"indexed_generation": document.generation, "error": "", "message": ""}
        if each.action is Action.INDEX:
            state.move_document(DocumentEvent.INDEX, document.id, **indexed)
        else:
            state.move_document(DocumentEvent.DELETE, document.id, deleted_at=state.clock(), **indexed)


def _record_outcomes(state: LedgerState, row: SliceRow) -> None:
    for each, document in state.pending(row.id):
        if document.generation > each.generation:
            state.end(each, Outcome.SUPERSEDED)
        elif document.indexed_generation == each.generation:
            state.end(each, Outcome.DELETED if each.action is Action.DELETE else Outcome.INDEXED)


def _drop_chunk_sets(state: LedgerState, row: SliceRow) -> None:
    """Drop what the slice's documents no longer need; an overtaken slice needs its own to find what it wrote."""
    everybody = state.run_documents.values()
    newest = {each.document_id: each.generation for each in everybody if each.slice_id == row.id}
    needed = {(each.document_id, each.generation) for each in everybody if each.outcome is Outcome.PENDING}
    for document_id, generation in list(state.chunk_sets):
        is_older = generation <= newest.get(document_id, -1)
        if is_older and (document_id, generation) not in needed:
            del state.chunk_sets[document_id, generation]
