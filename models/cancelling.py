"""End what cancelled runs have not brought in yet, slice by slice; whatever stops in the middle is gone on with.

A document is cancelled by a new generation without content: whoever is still at the old one finds itself overtaken,
commits nothing, and takes back what it wrote. What the index was already switched to is finished instead, and so is
what another run waits for; both take moments.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from models.leases import IS_BUYING
from models.transitions import document_move, slice_move
from pipeline.states import DocumentEvent, SliceEvent

_ENDING = (
    "ARRAY(SELECT r.id FROM runs r WHERE r.cancelled_at IS NOT NULL AND EXISTS"
    " (SELECT 1 FROM run_documents x WHERE x.run_id = r.id AND x.outcome = 'pending'))"
)
#: Of rows that the statement calls ``rd`` and ``d``, of the run that owns the slice.
_MAY_END = (
    "rd.outcome = 'pending' AND (d.committed_generation < rd.generation OR d.generation > rd.generation)"
    " AND NOT EXISTS (SELECT 1 FROM run_documents x WHERE x.slice_id = rd.slice_id"
    " AND x.document_id = rd.document_id AND x.run_id <> rd.run_id AND x.outcome = 'pending')"
)
# A slice that is being committed is locked; it is ended by the next sweep, if there is anything left to end then.
_SLICES = text(
    f"SELECT s.id FROM slices s WHERE s.run_id = ANY({_ENDING}) AND s.state IN ('ready', 'dispatched', 'running')"
    " AND EXISTS (SELECT 1 FROM run_documents rd JOIN documents d ON d.id = rd.document_id"
    f" WHERE rd.slice_id = s.id AND rd.run_id = s.run_id AND {_MAY_END})"
    " ORDER BY s.id LIMIT :limit FOR UPDATE OF s SKIP LOCKED"
)
# What a commit of another slice, a producer or a reconciliation holds stays pending, and so does its slice.
_LOCK_DOCUMENTS = text(
    "SELECT d.id FROM documents d WHERE d.id IN (SELECT rd.document_id FROM run_documents rd"
    " WHERE rd.slice_id = ANY(CAST(:slices AS uuid[])) AND rd.outcome = 'pending') ORDER BY d.id FOR UPDATE SKIP LOCKED"
)
_END_OUTCOMES = text(
    "UPDATE run_documents rd SET outcome = 'cancelled', finished_at = now() FROM slices s, documents d"
    " WHERE s.id = rd.slice_id AND s.run_id = rd.run_id AND d.id = rd.document_id"
    " AND rd.slice_id = ANY(CAST(:slices AS uuid[])) AND rd.document_id = ANY(CAST(:locked AS uuid[]))"
    f" AND {_MAY_END} RETURNING rd.document_id, rd.generation"
)
_END_DOCUMENTS = text(
    document_move(
        DocumentEvent.CANCEL,
        sets="generation = d.generation + 1",
        source="unnest(CAST(:ids AS uuid[]), CAST(:generations AS bigint[])) AS t(id, generation)",
        where="d.id = t.id AND d.generation = t.generation",
    )
)
_DROP_CHUNK_SETS = text(
    "DELETE FROM chunk_sets cs USING unnest(CAST(:ids AS uuid[]), CAST(:generations AS bigint[]))"
    " AS t(id, generation) WHERE cs.document_id = t.id AND cs.generation = t.generation"
)
# What a worker may have in flight stays reserved, or the next run would buy it a second time beside it.
_RELEASE = text(
    "DELETE FROM embeddings e USING slices s WHERE s.id = e.claimed_by AND s.id = ANY(CAST(:slices AS uuid[]))"
    f" AND e.vector IS NULL AND {IS_BUYING} IS NOT TRUE"
)
_END_SLICES = text(
    slice_move(
        SliceEvent.CANCEL,
        sets="not_before = CASE WHEN s.stage = 'embed' THEN s.lease_until END, owner = NULL, lease_until = NULL,"
        " finished_at = now(), error = '', message = '', trace = ''",
        where="s.id = ANY(CAST(:slices AS uuid[])) AND NOT EXISTS"
        " (SELECT 1 FROM run_documents rd WHERE rd.slice_id = s.id AND rd.outcome = 'pending')",
        returning="s.id",
    )
)
_STOP_WAITING = text(
    "WITH free AS (SELECT rd.run_id, rd.document_id FROM run_documents rd JOIN slices s ON s.id = rd.slice_id"
    f" WHERE s.run_id <> rd.run_id AND rd.run_id = ANY({_ENDING}) AND rd.outcome = 'pending'"
    " FOR NO KEY UPDATE OF rd SKIP LOCKED)"
    " UPDATE run_documents rd SET outcome = 'cancelled', finished_at = now() FROM free"
    " WHERE rd.run_id = free.run_id AND rd.document_id = free.document_id AND rd.outcome = 'pending'"
)


def end_cancelled(connection: Connection, limit: int) -> int:
    """End documents in at most so many slices of cancelled runs; return in how many.

    0: nothing is left but what other transactions hold, which the next sweep ends.
    """
    connection.execute(_STOP_WAITING)
    slices = list(connection.execute(_SLICES, {"limit": limit}).scalars())
    if not slices:
        return 0
    locked = list(connection.execute(_LOCK_DOCUMENTS, {"slices": slices}).scalars())
    ended = connection.execute(_END_OUTCOMES, {"slices": slices, "locked": locked}).all()
    columns = {"ids": [row[0] for row in ended], "generations": [row[1] for row in ended]}
    connection.execute(_END_DOCUMENTS, columns)
    connection.execute(_DROP_CHUNK_SETS, columns)
    # One that goes on may be buying what it has reserved.
    over = list(connection.execute(_END_SLICES, {"slices": slices}).scalars())
    connection.execute(_RELEASE, {"slices": over})
    return len(slices) if ended else 0
