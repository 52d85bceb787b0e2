"""Run parse, chunk and the making of embedding inputs over a slice's documents, one failure at a time.

A document that cannot be processed becomes a ``Failure`` and the others go on. Errors that are nobody's document's
fault are not caught here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from pipeline.chunk import KEPT_LEAF_BYTES, ChunkBudget, chunk
from pipeline.chunk_codec import pack_chunks, unpack_chunks
from pipeline.errors import PermanentError
from pipeline.inputs import input_of
from pipeline.outline_codec import pack_outline, unpack_outline
from pipeline.parse.decode import text_of
from pipeline.parse.parser import parse
from pipeline.types import Failure, Outline
from pipeline.work import ChunksMade, ChunkWork, EmbedWork, OutlineMade, ParseWork


@dataclass(frozen=True, slots=True)
class EmbeddingInput:
    """A text to embed and the documents of the slice that need it."""

    text: str
    documents: tuple[UUID, ...]


def parse_documents(work: Sequence[ParseWork]) -> tuple[list[OutlineMade], list[Failure]]:
    """Outline every document; two with the same bytes and language share one outline."""
    made: dict[tuple[bytes, str], OutlineMade] = {}
    failures: list[Failure] = []
    for item in work:
        document = item.document
        if document.revision is None or (document.revision, document.language) in made:
            continue
        try:
            outline = parse(item.data, document.language, leaf_bytes=KEPT_LEAF_BYTES)
        except PermanentError as exc:
            failures.append(Failure(document.id, exc.code, str(exc)))
            continue
        made[document.revision, document.language] = OutlineMade(
            document.revision, document.language, len(outline.nodes), pack_outline(outline)
        )
    return list(made.values()), failures


def chunk_documents(
    work: Sequence[ChunkWork], budget: ChunkBudget, versions: str
) -> tuple[list[ChunksMade], list[Failure]]:
    """Chunk every document along its outline; where none that the budget can be cut by is stored, parse again.

    ``versions`` are our own; whoever brings the chunks into the index records them.
    """
    made: list[ChunksMade] = []
    failures: list[Failure] = []
    for item in work:
        document = item.document
        try:
            outline = _outline(item, budget)
            chunks = chunk(document, text_of(item.data, outline.encoding), outline, budget)
        except PermanentError as exc:
            failures.append(Failure(document.id, exc.code, str(exc)))
            continue
        made.append(
            ChunksMade(document, len(chunks.chunks), outline.encoding, pack_chunks(replace(chunks, versions=versions)))
        )
    return made, failures


def _outline(item: ChunkWork, budget: ChunkBudget) -> Outline:
    """Return the kept outline; another one where there is none of our version, or it is too coarse for the budget."""
    if item.outline is None or budget.leaf_bytes < KEPT_LEAF_BYTES:
        return parse(item.data, item.document.language, leaf_bytes=budget.leaf_bytes)
    return unpack_outline(item.outline)


def embedding_inputs(work: Sequence[EmbedWork]) -> dict[bytes, EmbeddingInput]:
    """Return the slice's distinct embedding inputs by their hash."""
    inputs: dict[bytes, EmbeddingInput] = {}
    for item in work:
        document = item.document
        text = text_of(item.data, item.encoding)
        for piece in unpack_chunks(document, item.packed).chunks:
            known = inputs.get(piece.embed_hash)
            if known is None:
                inputs[piece.embed_hash] = EmbeddingInput(input_of(document, piece, text), (document.id,))
            elif document.id not in known.documents:
                inputs[piece.embed_hash] = EmbeddingInput(known.text, (*known.documents, document.id))
    return inputs
