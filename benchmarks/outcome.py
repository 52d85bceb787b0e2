"""Read back from both stores what a case left there, so that no time is shown for work that was not done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg

from benchmarks.pipeline import PROJECT
from benchmarks.results import COLD, UNCHANGED, CaseResult, Outcome
from pipeline.types import Scope
from worker.embedding import build_index, embedding_model
from worker.settings import Settings, load_settings

_OUTCOME = """
WITH held AS (
    SELECT d.path, c.ordinal, c.start_byte, c.end_byte, c.embed_hash FROM chunks c
    JOIN documents d ON d.id = c.document_id WHERE d.project_id = %(project)s AND c.retired_at IS NULL)
SELECT (SELECT count(*) FROM documents WHERE project_id = %(project)s AND state = 'indexed'),
    (SELECT count(*) FROM held),
    (SELECT count(*) FROM embeddings e WHERE e.vector IS NOT NULL AND e.embed_hash IN (SELECT embed_hash FROM held)),
    (SELECT coalesce(md5(string_agg(md5(path || ':' || start_byte || ':' || end_byte || ':' ||
        encode(embed_hash, 'hex')), '' ORDER BY path COLLATE "C", ordinal)), '') FROM held)
"""


def read_outcome(environment: Mapping[str, str], project: UUID | None, failed: int, schema: str = "public") -> Outcome:
    """Read from both stores what they hold for a project (None: the one that the pipeline takes files into)."""
    settings = load_settings(environment)
    options = f"-c search_path={schema}"
    with psycopg.connect(settings.require("database_url"), options=options) as connection:
        scope = _scope_of(connection, project)
        row = connection.execute(_OUTCOME.encode(), {"project": scope.project_id}).fetchone()
    if row is None:
        raise RuntimeError("a query of counts returns one row")
    documents, chunks, embeddings, digest = row
    return Outcome(documents, failed, chunks, _points(settings, scope), embeddings, digest)


def require_same(limit: CaseResult, result: CaseResult, edited: int) -> None:
    """Return if a case left in both stores what it should have.

    Raises:
        SystemExit: It did not, so its time means nothing.
    """
    left, expected = result.outcome, limit.outcome
    problems = []
    if left.points != left.chunks or left.embeddings > left.chunks:
        problems.append("points and embeddings are not those of its chunks")
    if (left.documents, left.failed) != (expected.documents, expected.failed):
        problems.append("it has not the limit's documents")
    if result.case in {COLD, UNCHANGED} and left != expected:
        problems.append("it has not the limit's chunks")
    wanted = {COLD: expected.documents + expected.failed, UNCHANGED: 0}.get(result.case, edited)
    if result.documents != wanted:
        problems.append(f"it processed {result.documents} documents instead of {wanted}")
    if problems:
        raise SystemExit(
            f"benchmarks: {result.side}, {result.case}: {'; '.join(problems)}.\n  limit: {expected}\n  it:    {left}"
        )


def _scope_of(connection: psycopg.Connection[Any], project: UUID | None) -> Scope:
    if project is None:
        row = connection.execute("SELECT tenant_id, id FROM projects WHERE name = %s", (PROJECT,)).fetchone()
    else:
        query = "SELECT DISTINCT tenant_id, project_id FROM documents WHERE project_id = %s"
        row = connection.execute(query, (project,)).fetchone()
    if row is None:
        raise SystemExit("benchmarks: nothing was taken in.")
    return Scope(*row)


def _points(settings: Settings, scope: Scope) -> int:
    index = build_index(settings, embedding_model(settings))
    try:
        return index.count(scope)
    finally:
        index.close()
