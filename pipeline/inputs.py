"""Make again, from a document's text, what the embedder was given for a chunk: the embedding input is never stored."""

from __future__ import annotations

from pipeline.header import embedding_input
from pipeline.types import Chunk, DocumentRef


def input_of(document: DocumentRef, chunk: Chunk, text: bytes) -> str:
    """Return the embedding input of a chunk that was cut from ``text``, the document's text as UTF-8."""
    body = text[chunk.start : chunk.end].decode()
    return embedding_input(document.path, chunk.scope_signatures, chunk.defines, body)
