"""Cancel, pause and resume: one row says so, and everything that sends, claims or holds a slice looks at it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, text

from models.cancelling import end_cancelled
from models.pausing import FLEET_PAUSED, hold_back
from models.session import NOTIFY, transaction
from pipeline.control import RunEnded, UnknownRun

#: Slices that are ended in one transaction.
_BATCH = 200

_RUN = text(
    "SELECT r.cancelled_at, r.plan_state = 'planning' OR EXISTS"
    " (SELECT 1 FROM run_documents rd WHERE rd.run_id = r.id AND rd.outcome = 'pending') AS is_open"
    " FROM runs r JOIN sources s ON s.id = r.source_id JOIN projects p ON p.id = s.project_id"
    " JOIN tenants t ON t.id = p.tenant_id WHERE r.id = :run AND t.name = :tenant FOR UPDATE OF r"
)
_CANCEL = text(
    "UPDATE runs SET cancelled_at = coalesce(cancelled_at, now()), paused_at = NULL, updated_at = now(),"
    " plan_state = CASE plan_state WHEN 'planning' THEN 'interrupted' ELSE plan_state END WHERE id = :run"
)
_PAUSE = text("UPDATE runs SET paused_at = coalesce(paused_at, now()), updated_at = now() WHERE id = :run")
_RESUME = text("UPDATE runs SET paused_at = NULL, updated_at = now() WHERE id = :run")
_PAUSE_FLEET = text("INSERT INTO fleet_pauses (id) VALUES (1) ON CONFLICT DO NOTHING")
_RESUME_FLEET = text("DELETE FROM fleet_pauses")
_IS_FLEET_PAUSED = text(f"SELECT {FLEET_PAUSED}")


class PostgresControl:
    """Implements ``pipeline.ports.Control``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cancel(self, tenant: str, run_id: UUID) -> None:
        """See the port. What is left when this process dies in the middle, the next sweep ends."""
        with transaction(self._engine) as connection:
            run = _found(connection, tenant, run_id)
            if run.cancelled_at is None and not run.is_open:
                raise RunEnded
            connection.execute(_CANCEL, {"run": run_id})
        is_left = True
        while is_left:
            with transaction(self._engine) as connection:
                is_left = end_cancelled(connection, _BATCH) > 0
        self._wake_dispatcher()

    def pause(self, tenant: str, run_id: UUID) -> None:
        """See the port."""
        self._change_open(tenant, run_id, _PAUSE)

    def resume(self, tenant: str, run_id: UUID) -> None:
        """See the port."""
        self._change_open(tenant, run_id, _RESUME)

    def pause_fleet(self) -> None:
        """See the port."""
        with transaction(self._engine) as connection:
            connection.execute(_PAUSE_FLEET)
            hold_back(connection)

    def resume_fleet(self) -> None:
        """See the port."""
        with transaction(self._engine) as connection:
            connection.execute(_RESUME_FLEET)
        self._wake_dispatcher()

    def is_fleet_paused(self) -> bool:
        """See the port."""
        with transaction(self._engine) as connection:
            return bool(connection.execute(_IS_FLEET_PAUSED).scalar())

    def _change_open(self, tenant: str, run_id: UUID, statement: Any) -> None:
        with transaction(self._engine) as connection:
            run = _found(connection, tenant, run_id)
            if run.cancelled_at is not None or not run.is_open:
                raise RunEnded
            connection.execute(statement, {"run": run_id})
            hold_back(connection)
        self._wake_dispatcher()

    def _wake_dispatcher(self) -> None:
        with transaction(self._engine) as connection:
            connection.execute(NOTIFY)


def _found(connection: Connection, tenant: str, run_id: UUID) -> Row[Any]:
    run = connection.execute(_RUN, {"run": run_id, "tenant": tenant}).one_or_none()
    if run is None:
        raise UnknownRun(f"there is no run {run_id} in tenant {tenant!r}; `mobius runs` lists the ones there are.")
    return run
