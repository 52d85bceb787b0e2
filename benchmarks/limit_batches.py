"""Read, parse and chunk a tree into full provider calls, each with the rows that are written beside its vectors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import limit_store as store
from benchmarks.clock import Clock
from benchmarks.limit_points import Piece
from pipeline import embed, errors, header, identity
from pipeline.chunk import chunk
from pipeline.parse import decode, languages, parser
from pipeline.types import Chunk, Claim, DocumentRef, EmbeddingCall, Outline
from worker.chunking import chunk_budget, versions
from worker.embedding import embedding_model
from worker.settings import Settings


@dataclass(frozen=True)
class Batch:
    """One provider call, the chunks that need its vectors, and the rows that are written with it."""

    call: EmbeddingCall
    pieces: list[Piece]
    rows: store.Rows


@dataclass
class _Waiting:
    """What no call has carried yet: inputs and their chunks by hash, and rows."""

    inputs: dict[bytes, str] = field(default_factory=dict)
    pieces: dict[bytes, list[Piece]] = field(default_factory=dict)
    rows: store.Rows = field(default_factory=store.Rows)

    def take(self, call: EmbeddingCall) -> Batch:
        """Return a call with everything that can be written once it is answered."""
        for digest in call.hashes:
            del self.inputs[digest]
        rows, self.rows = self.rows, store.Rows()
        return Batch(call, [piece for digest in call.hashes for piece in self.pieces.pop(digest)], rows)


class Batches:
    """Cuts trees into batches for one model."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        model = embedding_model(settings)
        self._model = model
        self._model_id = identity.model_id(model.key)
        self._versions = versions(settings)
        self._budget = chunk_budget(settings)
        self.clock = clock

    def of(self, root: Path, claim: Claim, counts: dict[str, int]) -> Iterator[Batch]:
        """Yield the batches of a tree, full ones as soon as there are."""
        waiting = _Waiting()
        blobs = set[bytes]()
        for path, data in self._files(root):
            with self.clock("parse"):
                revision = identity.revision_of(data)
                language = languages.detect_language(path, data[:512])
                document = DocumentRef(identity.document_id(claim.source_id, path), path, language, 1, revision)
                try:
                    outline = parser.parse(data, language, leaf_bytes=self._budget.leaf_bytes)
                except errors.PermanentError:
                    counts["failed"] += 1
                    continue
            chunks = self._chunks(document, data, outline, waiting)
            counts["files"] += 1
            counts["chunks"] += len(chunks)
            with self.clock("copy"):
                if revision not in blobs:
                    blobs.add(revision)
                    waiting.rows.blobs.append(store.blob_row(revision, data))
                row = store.document_row(claim, document, len(data), outline.encoding, self._versions)
                waiting.rows.documents.append(row)
                waiting.rows.chunks += [store.chunk_row(document, piece, self._model_id) for piece in chunks]
            if len(waiting.inputs) > self._model.max_inputs:
                for call in embed.pack_calls(waiting.inputs.items(), self._model).calls[:-1]:
                    yield waiting.take(call)
        for call in embed.pack_calls(waiting.inputs.items(), self._model).calls:
            yield waiting.take(call)
        if waiting.rows.documents:
            yield waiting.take(EmbeddingCall((), ()))

    def _chunks(self, document: DocumentRef, data: bytes, outline: Outline, waiting: _Waiting) -> tuple[Chunk, ...]:
        with self.clock("chunk"):
            text = decode.text_of(data, outline.encoding)
            chunks = chunk(document, text, outline, self._budget).chunks
            for piece in chunks:
                body = text[piece.start : piece.end].decode()
                wanted = header.embedding_input(document.path, piece.scope_signatures, piece.defines, body)
                waiting.inputs[piece.embed_hash] = wanted
                waiting.pieces.setdefault(piece.embed_hash, []).append((document, piece))
        return chunks

    def _files(self, root: Path) -> Iterator[tuple[str, bytes]]:
        for directory, below, names in os.walk(root):
            below.sort()
            for name in sorted(names):
                with self.clock("read"):
                    path = Path(directory, name)
                    data = path.read_bytes()
                    relative = path.relative_to(root).as_posix()
                yield relative, data
