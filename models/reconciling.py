"""The ledger's side of a reconciliation: committed chunks in id order, their documents' claim, the pass and its drifts.

At most one pass runs: a unique index allows one row in the state ``running``. Its lease moves on with every page;
where it has expired, the next pass marks it as interrupted and begins anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, text

from models.chunk_rows import CHUNK_COLUMNS
from models.session import transaction
from models.standings import TRAITS_TOLD, Claimed, standing_of, traits_told
from pipeline.errors import storable
from pipeline.identity import model_id
from pipeline.reconcile import Drift, ExpectedPoint, PointId, Standing, Suspect
from pipeline.reconcile_ports import Pass, ReconciliationLost
from pipeline.reconciliation import PassCounts, ReconciliationState
from pipeline.types import EmbeddingModel, Scope

#: Passes whose drifts are kept one by one; of older ones the counts remain.
KEPT_PASSES = 20

_INTERRUPT = text(
    "UPDATE reconciliations SET state = 'interrupted', owner = NULL, lease_until = NULL, finished_at = now(),"
    " updated_at = now(), message = 'its process stopped reporting; the next pass begins anew'"
    " WHERE state = 'running' AND lease_until < now()"
)
_BEGIN = text(
    "INSERT INTO reconciliations (id, project_id, is_repair, state, owner, lease_until)"
    " VALUES (:id, :project, :is_repair, 'running', :owner, now() + make_interval(secs => :lease))"
    " ON CONFLICT (state) WHERE state = 'running' DO NOTHING RETURNING id"
)
_FORGET = text(
    "DELETE FROM drifts WHERE reconciliation_id NOT IN"
    " (SELECT id FROM reconciliations ORDER BY created_at DESC LIMIT :kept)"
)
_COUNTS = ", ".join(f"{name} = :{name}" for name in (*PassCounts.__dataclass_fields__, "drifted"))
_EXTEND = text(
    f"UPDATE reconciliations SET {_COUNTS}, lease_until = now() + make_interval(secs => :lease), updated_at = now()"
    " WHERE id = :id AND owner = :owner"
)
_FINISH = text(
    f"UPDATE reconciliations SET {_COUNTS}, state = :state, message = :message, owner = NULL, lease_until = NULL,"
    " finished_at = now(), updated_at = now() WHERE id = :id AND owner = :owner"
)
_EXPECTED = (
    "SELECT c.id, c.document_id, d.tenant_id, d.project_id, c.generation, c.text_hash, c.embed_hash,"
    f" {TRAITS_TOLD} FROM chunks c"
    " JOIN documents d ON d.id = c.document_id WHERE c.model_id = :model AND c.retired_at IS NULL"
)
_SUSPECTS = (
    "unnest(CAST(:points AS uuid[]), CAST(:documents AS uuid[])) AS t(id, document_id)"
    " LEFT JOIN chunks c ON c.id = t.id"
)
_CLAIM = (
    "SELECT d.id FROM documents d WHERE d.id = ANY(ARRAY(SELECT coalesce(c.document_id, t.document_id)"
    f" FROM {_SUSPECTS})) ORDER BY d.id FOR UPDATE OF d"
)
# Longer than the index may take to answer.
_BESIDE_THE_INDEX = text("SET LOCAL idle_in_transaction_session_timeout = '60s'")
_STANDINGS = text(
    f"SELECT t.id AS point_id, {CHUNK_COLUMNS}, coalesce(c.document_id, t.document_id) AS owner_id, d.id AS known_id,"
    " d.generation AS newest, d.tenant_id, d.project_id, d.source_id, d.path, d.language, d.committed_revision,"
    f" d.encoding, d.traits, {TRAITS_TOLD},"
    " ARRAY(SELECT rd.generation FROM run_documents rd WHERE rd.document_id = d.id AND rd.outcome = 'pending')"
    f" AS pending FROM {_SUSPECTS} LEFT JOIN documents d ON d.id = coalesce(c.document_id, t.document_id)"
)
_SAVE = text(
    "INSERT INTO drifts (id, reconciliation_id, point_id, is_numbered, document_id, kind)"
    " SELECT gen_random_uuid(), :pass, t.id, t.is_numbered, t.document_id, t.kind"
    " FROM unnest(CAST(:points AS uuid[]), CAST(:numbered AS bool[]), CAST(:documents AS uuid[]),"
    " CAST(:kinds AS text[])) AS t(id, is_numbered, document_id, kind)"
)
# One kind of id at a time, so that the unique index of drifts gives each batch in order, from where the last one ended.
_UNREPAIRED = (
    "SELECT point_id, is_numbered, document_id FROM drifts WHERE reconciliation_id = :pass AND is_numbered = :numbered"
    "{beyond} AND repaired_at IS NULL ORDER BY point_id LIMIT :limit"
)
_BEYOND = " AND point_id > CAST(:point AS uuid)"
_REPAIRED = text(
    "UPDATE drifts d SET repaired_at = now(), updated_at = now()"
    " FROM unnest(CAST(:points AS uuid[]), CAST(:numbered AS bool[])) AS t(id, numbered)"
    " WHERE d.reconciliation_id = :pass AND d.point_id = t.id AND d.is_numbered = t.numbered"
)
# An ingestion takes a document of other versions for outdated; what is under way already is left to itself.
_OUTDATE = text(
    "UPDATE documents SET versions = '', updated_at = now() WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'indexed'"
)


class PostgresReconciliation:
    """Implements ``pipeline.reconcile_ports.ReconciliationLedger``.

    Raises (every method):
        ServiceUnavailable: Postgres is down, was restarted, or timed out.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, scope: Scope | None, *, is_repair: bool, lease_seconds: float) -> Pass | None:
        """Open a pass; None while another one is running. One whose lease has expired is marked as interrupted."""
        held = Pass(uuid4(), uuid4())
        values = {"project": scope and scope.project_id, "is_repair": is_repair, "lease": lease_seconds}
        with transaction(self._engine) as connection:
            connection.execute(_INTERRUPT)
            opened = connection.execute(_BEGIN, {"id": held.id, "owner": held.owner, **values}).one_or_none()
            if opened is None:
                return None
            connection.execute(_FORGET, {"kept": KEPT_PASSES})
        return held

    def extend(self, held: Pass, counts: PassCounts, lease_seconds: float) -> None:
        """Extend the lease and show how far the pass is.

        Raises:
            ReconciliationLost: It was taken over.
        """
        self._update(_EXTEND, held, counts, lease=lease_seconds)

    def finish(self, held: Pass, counts: PassCounts, state: ReconciliationState, message: str) -> None:
        """End the pass.

        Raises:
            ReconciliationLost: It was taken over.
        """
        self._update(_FINISH, held, counts, state=state.value, message=storable(message))

    def _update(self, statement: Any, held: Pass, counts: PassCounts, **values: object) -> None:
        numbers = {**asdict(counts), "drifted": counts.drifted}
        with transaction(self._engine) as connection:
            updated = connection.execute(statement, {"id": held.id, "owner": held.owner, **numbers, **values})
        if updated.rowcount != 1:
            raise ReconciliationLost

    def expected(
        self, model: EmbeddingModel, scope: Scope | None, after: UUID | None, limit: int
    ) -> list[ExpectedPoint]:
        """Return the model's next committed chunks in id order."""
        sql = _EXPECTED
        values: dict[str, object] = {"model": model_id(model.key), "limit": limit}
        if scope is not None:
            sql += " AND d.project_id = :project AND d.tenant_id = :tenant"
            values |= {"project": scope.project_id, "tenant": scope.tenant_id}
        if after is not None:
            sql += " AND c.id > :after"
            values["after"] = after
        with transaction(self._engine) as connection:
            rows = connection.execute(text(f"{sql} ORDER BY c.id LIMIT :limit"), values).all()
        return [
            ExpectedPoint(row[0], row[1], Scope(row[2], row[3]), row[4], row[5], row[6], traits_told(row))
            for row in rows
        ]

    @contextmanager
    def claimed(self, model: EmbeddingModel, suspects: Sequence[Suspect], *, wait: bool) -> Iterator[Claimed]:
        """Claim the suspects' documents for the block; unless it is to wait, what others hold is left out."""
        # What has a number for an id was never in the ledger.
        standings: dict[PointId, Standing] = {each.id: Standing() for each in suspects if isinstance(each.id, int)}
        busy: dict[UUID, list[Suspect]] = {}
        columns = {
            "points": [each.id for each in suspects if isinstance(each.id, UUID)],
            "documents": [each.document_id for each in suspects if isinstance(each.id, UUID)],
        }
        with transaction(self._engine) as connection:
            connection.execute(_BESIDE_THE_INDEX)
            claim = text(_CLAIM if wait else f"{_CLAIM} SKIP LOCKED")
            held = frozenset(connection.execute(claim, columns).scalars())
            for row in connection.execute(_STANDINGS, columns):
                if row.known_id is None or row.known_id in held:
                    standings[row.point_id] = standing_of(row, model)
                else:
                    busy.setdefault(row.known_id, []).append(Suspect(row.point_id, row.known_id))
            yield Claimed(connection, model, standings, busy)

    def save_drifts(self, held: Pass, drifts: Sequence[Drift]) -> None:
        """Record confirmed drifts."""
        columns = {
            **_keys([drift.id for drift in drifts]),
            "documents": [drift.document_id for drift in drifts],
            "kinds": [drift.kind.value for drift in drifts],
        }
        with transaction(self._engine) as connection:
            connection.execute(_SAVE, {"pass": held.id, **columns})

    def unrepaired(self, held: Pass, after: PointId | None, limit: int) -> list[Suspect]:
        """Return the pass's next drifts in id order that are not mended."""
        numbered = after is None or isinstance(after, int)
        with transaction(self._engine) as connection:
            found = _unrepaired(connection, held, after, limit, is_numbered=True) if numbered else []
            if len(found) < limit:
                found += _unrepaired(connection, held, None if numbered else after, limit - len(found))
        return found

    def mark_repaired(self, held: Pass, ids: Collection[PointId]) -> None:
        """Record that these drifts are mended."""
        with transaction(self._engine) as connection:
            connection.execute(_REPAIRED, {"pass": held.id, **_keys(ids)})

    def outdate(self, documents: Collection[UUID]) -> None:
        """Make the next ingestion take these documents on again."""
        with transaction(self._engine) as connection:
            connection.execute(_OUTDATE, {"ids": sorted(documents)})


def _unrepaired(
    connection: Connection, held: Pass, after: PointId | None, limit: int, *, is_numbered: bool = False
) -> list[Suspect]:
    values: dict[str, object] = {"pass": held.id, "numbered": is_numbered, "limit": limit}
    if after is not None:
        values["point"] = _as_uuid(after)
    sql = _UNREPAIRED.format(beyond="" if after is None else _BEYOND)
    rows = connection.execute(text(sql), values)
    return [Suspect(row[0].int if row[1] else row[0], row[2]) for row in rows]


def _keys(ids: Collection[PointId]) -> dict[str, list[object]]:
    return {"points": [_as_uuid(each) for each in ids], "numbered": [isinstance(each, int) for each in ids]}


def _as_uuid(point_id: PointId) -> UUID:
    return UUID(int=point_id) if isinstance(point_id, int) else point_id
