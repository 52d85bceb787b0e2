"""The four links of a slice's chain: load, one call into the pipeline, record."""

from __future__ import annotations

from celery import shared_task

from pipeline.header import HEADER_VERSION
from pipeline.parse.parser import OUTLINE_VERSION
from pipeline.stages import chunk_documents, embedding_inputs, parse_documents
from pipeline.types import Claim, Stage
from tasks.base import StageContext, StageTask
from tasks.buying import buy_embeddings
from tasks.indexing import bring_to_index
from tasks.queues import task_name


@shared_task(name=task_name(Stage.PARSE), base=StageTask)
def parse(context: StageContext, claim: Claim) -> dict[str, int]:
    """Leave an outline for every revision of the slice."""
    work = context.ledger.documents_to_parse(claim, OUTLINE_VERSION)
    made, failures = parse_documents(work)
    context.ledger.commit_outlines(claim, OUTLINE_VERSION, made, failures)
    return {"outlines": len(made), "failed": len(failures)}


@shared_task(name=task_name(Stage.CHUNK), base=StageTask)
def chunk(context: StageContext, claim: Claim) -> dict[str, int]:
    """Leave a chunk set for every document of the slice."""
    work = context.ledger.documents_to_chunk(claim, OUTLINE_VERSION)
    made, failures = chunk_documents(work, context.budget, context.versions)
    context.ledger.commit_chunk_sets(claim, made, failures)
    return {"documents": len(made), "chunks": sum(item.count for item in made), "failed": len(failures)}


@shared_task(name=task_name(Stage.EMBED), base=StageTask)
def embed(context: StageContext, claim: Claim) -> dict[str, int]:
    """Have a stored vector for every embedding input of the slice."""
    context.ledger.register_model(context.embedder.model, HEADER_VERSION)
    inputs = embedding_inputs(context.ledger.documents_to_embed(claim))
    bought, failures = buy_embeddings(context, claim, inputs)
    context.ledger.commit_embedded(claim, failures)
    return {"inputs": len(inputs), "bought": bought, "failed": len(failures)}


@shared_task(name=task_name(Stage.UPSERT), base=StageTask)
def upsert(context: StageContext, claim: Claim) -> dict[str, int]:
    """Make the index hold exactly the slice's newest chunks, and the ledger say so."""
    return bring_to_index(context, claim)
