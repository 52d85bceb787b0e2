"""List, retry and drop what was given up on.

A dead letter is open as long as nobody took care of it and its document has no newer generation: another revision
that was accepted since has its own fate. A retry is a run of its own, in which each document travels alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, Row, text

from models.listings import Moment
from models.session import NOTIFY, transaction
from models.transitions import document_move
from pipeline.dead_letters import DeadLetterLine, UnknownDeadLetter
from pipeline.intake import SLICE_VERSION
from pipeline.states import DocumentEvent

_STATUS = (
    "CASE WHEN l.resolved_at IS NOT NULL THEN l.resolution WHEN d.generation > l.generation THEN 'overtaken'"
    " ELSE 'open' END"
)
_FROM = (
    " FROM dead_letters l JOIN documents d ON d.id = l.document_id JOIN sources s ON s.id = d.source_id"
    " JOIN projects p ON p.id = s.project_id JOIN tenants t ON t.id = p.tenant_id"
    " JOIN runs r ON r.id = l.run_id WHERE t.name = :tenant"
    " AND p.name = coalesce(CAST(:project AS text), p.name)"
)
_LIST = text(
    f"SELECT l.id, {_STATUS} AS status, p.name AS project, s.name AS source, d.path, l.document_id, l.run_id,"
    " l.generation, l.stage, l.attempts, l.worker, l.error, l.message, l.trace, r.created_at AS accepted_at,"
    f" l.created_at AS given_up_at, l.resolved_at {_FROM} AND (CAST(:ids AS uuid[]) IS NULL OR l.id = ANY(:ids))"
    f" AND (:closed OR {_STATUS} = 'open')"
    " AND (CAST(:at AS timestamptz) IS NULL OR (l.created_at, l.id) < (CAST(:at AS timestamptz), CAST(:after AS uuid)))"
    " ORDER BY l.created_at DESC, l.id DESC LIMIT :limit"
)
# The documents first, as everybody else locks them; a revision that is accepted meanwhile makes the letter overtaken.
_LOCK = text(
    "SELECT d.id FROM documents d WHERE d.id IN (SELECT l.document_id FROM dead_letters l"
    " WHERE l.id = ANY(CAST(:ids AS uuid[]))) ORDER BY d.id FOR UPDATE"
)
_OPEN = text(
    "SELECT l.id, l.document_id, d.source_id, l.generation, rd.action, rd.is_new, rd.revision FROM dead_letters l"
    " JOIN documents d ON d.id = l.document_id AND d.generation = l.generation AND d.state = 'failed'"
    " JOIN run_documents rd ON rd.run_id = l.run_id AND rd.document_id = l.document_id"
    " WHERE l.id = ANY(CAST(:ids AS uuid[])) AND l.resolved_at IS NULL ORDER BY d.source_id, l.document_id"
)
_RESOLVE = text(
    "UPDATE dead_letters SET resolved_at = now(), resolution = :resolution, updated_at = now()"
    " WHERE id = ANY(CAST(:ids AS uuid[])) AND resolved_at IS NULL"
)
_ADD_RUN = text(
    "INSERT INTO runs (id, source_id, priority, plan_state, planned_at, seen, message, is_complete)"
    " VALUES (:run, :source, 1, 'planned', now(), :seen, 'a retry of dead letters', true)"
)
_AGAIN = {
    "index": DocumentEvent.ACCEPT,
    "delete": DocumentEvent.ACCEPT_DELETION,
}
_ACCEPT = {
    action: text(
        document_move(
            event,
            sets="generation = d.generation + 1, error = '', message = ''",
            where="d.id = :document AND d.generation = :generation",
        )
    )
    for action, event in _AGAIN.items()
}
_ADD_SLICE = text(
    "INSERT INTO slices (id, run_id, stage, state, priority, version)"
    f" VALUES (:slice, :run, :stage, 'ready', 1, {SLICE_VERSION})"
)
_ADD_DOCUMENT = text(
    "INSERT INTO run_documents (run_id, document_id, slice_id, action, is_new, generation, revision, outcome)"
    " VALUES (:run, :document, :slice, :action, :is_new, :generation + 1, :revision, 'pending')"
)
_FIRST_STAGE = {"index": "parse", "delete": "upsert"}


class DeadLetters:
    """A tenant's dead letters."""

    def __init__(self, engine: Engine, tenant: str, project: str | None = None) -> None:
        self._engine = engine
        self._values: dict[str, Any] = {"tenant": tenant, "project": project}

    def latest(self, *, limit: int, closed: bool = False) -> list[DeadLetterLine]:
        """Return dead letters, the latest first; with ``closed`` also those that are taken care of or overtaken."""
        with transaction(self._engine) as connection:
            return read_dead_letters(connection, **self._values, limit=limit, closed=closed)

    def get(self, ids: Sequence[UUID]) -> list[DeadLetterLine]:
        """Return these, whatever became of them.

        Raises:
            UnknownDeadLetter: One of them is none, or another tenant's or project's.
        """
        with transaction(self._engine) as connection:
            return self._known(connection, ids)

    def retry(self, ids: Sequence[UUID]) -> dict[UUID, int]:
        """Send the open ones among these documents through all stages again; return new runs and their documents.

        Raises:
            UnknownDeadLetter: One of them is none, or another tenant's or project's.
        """
        with transaction(self._engine) as connection:
            self._known(connection, ids)
            connection.execute(_LOCK, {"ids": list(ids)})
            rows = connection.execute(_OPEN, {"ids": list(ids)}).all()
            runs = {source: uuid4() for source in dict.fromkeys(row.source_id for row in rows)}
            counts: dict[UUID, int] = {}
            for source, run in runs.items():
                mine = [row for row in rows if row.source_id == source]
                connection.execute(_ADD_RUN, {"run": run, "source": source, "seen": len(mine)})
                for row in mine:
                    _send_again(connection, run, row)
                counts[run] = len(mine)
            connection.execute(_RESOLVE, {"ids": [row.id for row in rows], "resolution": "retried"})
            connection.execute(NOTIFY)
        return counts

    def drop(self, ids: Sequence[UUID]) -> int:
        """Take these off the list; their documents stay failed. Return how many were open.

        Raises:
            UnknownDeadLetter: One of them is none, or another tenant's or project's.
        """
        with transaction(self._engine) as connection:
            self._known(connection, ids)
            return connection.execute(_RESOLVE, {"ids": list(ids), "resolution": "dropped"}).rowcount

    def _known(self, connection: Connection, ids: Sequence[UUID]) -> list[DeadLetterLine]:
        found = _read(connection, **self._values, ids=list(ids), limit=len(ids), closed=True)
        unknown = set(ids) - {line.dead_letter_id for line in found}
        if unknown:
            named = ", ".join(sorted(map(str, unknown)))
            raise UnknownDeadLetter(f"there is no dead letter {named} here; `mobius dead-letters list` shows them.")
        return found


def read_dead_letters(
    connection: Connection,
    tenant: str,
    project: str | None = None,
    *,
    limit: int,
    closed: bool = False,
    after: Moment | None = None,
) -> list[DeadLetterLine]:
    """Return a tenant's dead letters, the latest first; with ``closed`` also those that nothing is to be done about."""
    at, row_id = after or (None, None)
    return _read(connection, tenant=tenant, project=project, limit=limit, closed=closed, at=at, after=row_id)


def read_dead_letter(connection: Connection, tenant: str, dead_letter_id: UUID) -> DeadLetterLine | None:
    """Return a dead letter, whatever became of it; None if the tenant has no such one."""
    found = _read(connection, tenant=tenant, ids=[dead_letter_id], limit=1, closed=True)
    return found[0] if found else None


def _read(connection: Connection, **values: object) -> list[DeadLetterLine]:
    every = dict.fromkeys(("project", "ids", "at", "after")) | values
    return [DeadLetterLine(*row) for row in connection.execute(_LIST, every).all()]


def _send_again(connection: Connection, run: UUID, row: Row[Any]) -> None:
    values = {
        "run": run,
        "slice": uuid4(),
        "stage": _FIRST_STAGE[row.action],
        "document": row.document_id,
        "generation": row.generation,
        "action": row.action,
        "is_new": row.is_new,
        "revision": row.revision,
    }
    connection.execute(_ACCEPT[row.action], values)
    connection.execute(_ADD_SLICE, values)
    connection.execute(_ADD_DOCUMENT, values)
