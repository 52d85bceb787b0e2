"""Hand the parse and chunk stages their documents, and commit what they leave together with the advance.

A stage's output and the move to the next stage are one transaction that holds the claim's fence. Documents that a
newer generation has overtaken are not handed out; the upsert stage records how they ended.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from sqlalchemy import Engine, text

from models.leases import advance, fence, record_failures, work_of
from models.session import transaction
from pipeline.types import Claim, DocumentRef, Failure, Stage
from pipeline.work import ChunksMade, ChunkWork, OutlineMade, ParseWork

_CURRENT = (
    "FROM run_documents rd JOIN documents d ON d.id = rd.document_id AND d.generation = rd.generation"
    " {joins} WHERE rd.slice_id = :slice AND rd.run_id = :run AND rd.outcome = 'pending' AND rd.action = 'index'"
    " ORDER BY d.id"
)
_REF = "d.id, d.path, d.language, rd.generation, rd.revision"

_TO_PARSE = text(
    f"SELECT {_REF}, b.data "
    + _CURRENT.format(
        joins="JOIN blobs b ON b.sha256 = rd.revision"
        " LEFT JOIN outlines o ON o.sha256 = rd.revision AND o.language = d.language AND o.version = :version"
    ).replace("ORDER BY", "AND o.sha256 IS NULL ORDER BY")
)
_TO_CHUNK = text(
    f"SELECT {_REF}, b.data, o.data "
    + _CURRENT.format(
        joins="JOIN blobs b ON b.sha256 = rd.revision"
        " LEFT JOIN outlines o ON o.sha256 = rd.revision AND o.language = d.language AND o.version = :version"
    )
)
_SAVE_OUTLINES = text(
    "INSERT INTO outlines (sha256, language, version, nodes, data)"
    " SELECT sha256, language, :version, nodes, data FROM unnest(CAST(:shas AS bytea[]), CAST(:languages AS text[]),"
    " CAST(:nodes AS int[]), CAST(:datas AS bytea[])) AS t(sha256, language, nodes, data)"
    " ORDER BY sha256, language ON CONFLICT DO NOTHING"
)
_SAVE_CHUNK_SETS = text(
    "INSERT INTO chunk_sets (document_id, generation, count, encoding, data)"
    " SELECT id, generation, count, encoding, data FROM unnest(CAST(:ids AS uuid[]), CAST(:generations AS bigint[]),"
    " CAST(:counts AS int[]), CAST(:encodings AS text[]), CAST(:datas AS bytea[]))"
    " AS t(id, generation, count, encoding, data) ORDER BY id, generation"
    " ON CONFLICT (document_id, generation) DO UPDATE SET count = excluded.count, encoding = excluded.encoding,"
    " data = excluded.data"
)
_COUNT_CHUNKS = text("UPDATE slices SET chunks_total = :chunks WHERE id = :slice")


class ParseAndChunk:
    """The part of the ledger that the CPU stages use."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def documents_to_parse(self, claim: Claim, version: int) -> list[ParseWork]:
        """Return the slice's current revisions that have no outline of this version."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_TO_PARSE, {**work_of(claim), "version": version}).all()
        return [ParseWork(DocumentRef(*row[:5]), zlib.decompress(row[5])) for row in rows]

    def commit_outlines(
        self, claim: Claim, version: int, made: Sequence[OutlineMade], failures: Sequence[Failure]
    ) -> None:
        """Store the outlines, record the failures and advance to the chunk stage.

        Raises:
            ClaimLost: The lease was taken over; nothing was written.
        """
        columns = {
            "version": version,
            "shas": [outline.revision for outline in made],
            "languages": [outline.language for outline in made],
            "nodes": [outline.nodes for outline in made],
            "datas": [outline.packed for outline in made],
        }
        with transaction(self._engine) as connection:
            fence(connection, claim)
            if made:
                connection.execute(_SAVE_OUTLINES, columns)
            record_failures(connection, claim, failures)
            advance(connection, claim, Stage.CHUNK)

    def documents_to_chunk(self, claim: Claim, version: int) -> list[ChunkWork]:
        """Return the slice's current revisions with their bytes and outlines."""
        with transaction(self._engine) as connection:
            rows = connection.execute(_TO_CHUNK, {**work_of(claim), "version": version}).all()
        return [ChunkWork(DocumentRef(*row[:5]), zlib.decompress(row[5]), row[6]) for row in rows]

    def commit_chunk_sets(self, claim: Claim, made: Sequence[ChunksMade], failures: Sequence[Failure]) -> None:
        """Store the chunk sets, record the failures and advance to the embed stage.

        Raises:
            ClaimLost: The lease was taken over; nothing was written.
        """
        columns = {
            "ids": [item.document.id for item in made],
            "generations": [item.document.generation for item in made],
            "counts": [item.count for item in made],
            "encodings": [item.encoding for item in made],
            "datas": [item.packed for item in made],
        }
        chunks = sum(item.count for item in made)
        with transaction(self._engine) as connection:
            fence(connection, claim)
            if made:
                connection.execute(_SAVE_CHUNK_SETS, columns)
                connection.execute(_COUNT_CHUNKS, {"slice": claim.token.slice_id, "chunks": chunks})
            record_failures(connection, claim, failures)
            advance(connection, claim, Stage.EMBED)
