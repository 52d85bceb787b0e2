"""Where the limit's results go: tables like the product's, filled by binary COPY."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from pgvector import Vector as PgVector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from benchmarks.services import START
from pipeline.facts import facts_row
from pipeline.types import Chunk, Claim, DocumentRef, Vector

Connection = psycopg.Connection[Any]

#: The columns that are filled, by table, each followed by its type.
_COLUMNS = {
    "blobs": "sha256 bytea, size int8, data bytea",
    "documents": "id uuid, tenant_id uuid, project_id uuid, source_id uuid, path text, language text, generation int8,"
    " revision bytea, size int8, state text, committed_generation int8, committed_revision bytea, encoding text,"
    " indexed_generation int8, versions text",
    "chunks": "id uuid, document_id uuid, model_id uuid, generation int8, ordinal int4, kind text, name text,"
    " scope jsonb, metadata jsonb, start_byte int8, end_byte int8, parent_start int8, parent_end int8,"
    " start_line int4, end_line int4, text_hash bytea, embed_hash bytea,"
    " facts jsonb",
    "embeddings": "model_id uuid, embed_hash bytea, vector vector",
}
COPIES = {table: dict(column.split() for column in columns.split(", ")) for table, columns in _COLUMNS.items()}


@dataclass
class Rows:
    """Rows that wait for the next COPY, by table."""

    blobs: list[tuple[Any, ...]] = field(default_factory=list)
    documents: list[tuple[Any, ...]] = field(default_factory=list)
    chunks: list[tuple[Any, ...]] = field(default_factory=list)
    embeddings: list[tuple[Any, ...]] = field(default_factory=list)


def make_tables(database_url: str) -> None:
    """Make the tables, empty, in a schema of their own: the product's columns and indexes without foreign keys."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS bench CASCADE")
        connection.execute("CREATE SCHEMA bench")
        for table in COPIES:
            connection.execute(f"CREATE TABLE bench.{table} (LIKE public.{table} INCLUDING ALL)".encode())


def empty_tables(database_url: str) -> None:
    """Forget what was written and counted to warm up."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(f'bench.{table}' for table in COPIES)}".encode())
        connection.execute(START)


def connect(database_url: str) -> Connection:
    """Return a connection that finds the limit's tables first."""
    connection = psycopg.connect(database_url, options="-c search_path=bench,public")
    register_vector(connection)
    connection.commit()
    return connection


def copy_rows(connection: Connection, rows: Rows) -> None:
    """Write rows of all tables in one transaction."""
    with connection.transaction(), connection.cursor() as cursor:
        for table, columns in COPIES.items():
            waiting: list[tuple[Any, ...]] = getattr(rows, table)
            if not waiting:
                continue
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)".encode()) as copy:
                copy.set_types(list(columns.values()))
                for row in waiting:
                    copy.write_row(row)


def blob_row(revision: bytes, data: bytes) -> tuple[Any, ...]:
    """Return a revision's row; the same compression as the product's."""
    return (revision, len(data), zlib.compress(data, 1))


def document_row(claim: Claim, document: DocumentRef, size: int, encoding: str, versions: str) -> tuple[Any, ...]:
    """Return the row of a document that is indexed at its first generation."""
    scope = (claim.scope.tenant_id, claim.scope.project_id, claim.source_id)
    said = (document.path, document.language, 1, document.revision, size)
    return (document.id, *scope, *said, "indexed", 1, document.revision, encoding, 1, versions)


def chunk_row(document: DocumentRef, chunk: Chunk, model: UUID) -> tuple[Any, ...]:
    """Return a committed chunk's row."""
    details = Jsonb({"scope_signatures": chunk.scope_signatures, "defines": chunk.defines}, json.dumps)
    what = (chunk.ordinal, chunk.kind, chunk.name, Jsonb(chunk.scope, json.dumps), details)
    span = (chunk.start, chunk.end, chunk.parent_start, chunk.parent_end, chunk.start_line, chunk.end_line)
    facts = None if chunk.facts is None else Jsonb(facts_row(chunk.facts), json.dumps)
    return (chunk.id, document.id, model, 1, *what, *span, chunk.text_hash, chunk.embed_hash, facts)


def embedding_rows(vectors: Mapping[bytes, Vector], model: UUID) -> list[tuple[Any, ...]]:
    """Return the rows of what one provider call brought."""
    return [(model, digest, PgVector(np.frombuffer(vector, dtype="<f4"))) for digest, vector in sorted(vectors.items())]
