"""Find or make tenants, projects and sources by the names that users know them by."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, TextClause, text

from models.session import transaction
from pipeline.errors import UnknownProject
from pipeline.intake import SourceRef
from pipeline.types import Scope

_TENANT = text(
    "INSERT INTO tenants (id, name) VALUES (:id, :name)"
    " ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id"
)
_PROJECT = text(
    "INSERT INTO projects (id, tenant_id, name) VALUES (:id, :tenant, :name)"
    " ON CONFLICT (tenant_id, name) DO UPDATE SET name = excluded.name RETURNING id"
)
_SOURCE = text(
    "INSERT INTO sources (id, project_id, name, root) VALUES (:id, :project, :name, :root)"
    " ON CONFLICT (project_id, name) DO UPDATE SET root = excluded.root, updated_at = now() RETURNING id"
)
#: The root of a source whose files were uploaded. It is no path, so no file on disk ever lies in such a source.
UPLOADED = "upload:"
_UPLOAD_SOURCE = text(
    "INSERT INTO sources (id, project_id, name, root) VALUES (:id, :project, :name, :root)"
    " ON CONFLICT (project_id, name) DO UPDATE SET name = excluded.name RETURNING id"
)
_SCOPE = text(
    "SELECT t.id, p.id FROM tenants t JOIN projects p ON p.tenant_id = t.id"
    " WHERE t.name = :tenant AND p.name = :project"
)
_SOURCES = text("SELECT id, name, root FROM sources WHERE project_id = :project ORDER BY name")


class Sources:
    """The part of the ledger that knows names."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def resolve(self, tenant: str, project: str, name: str, root: str) -> SourceRef:
        """Return the source, making tenant, project and source where they are new; ``root`` is remembered.

        An upload leaves the root of a known source as it is.
        """
        with transaction(self._engine) as connection:
            tenant_id = _upsert(connection, _TENANT, name=tenant)
            project_id = _upsert(connection, _PROJECT, tenant=tenant_id, name=project)
            statement = _UPLOAD_SOURCE if root == UPLOADED else _SOURCE
            source_id = _upsert(connection, statement, project=project_id, name=name, root=root)
        return SourceRef(source_id, Scope(tenant_id, project_id), tenant, project, name, root)

    def scope_of(self, tenant: str, project: str) -> Scope:
        """Return the scope of a project.

        Raises:
            UnknownProject: There is none of that name.
        """
        with transaction(self._engine) as connection:
            scope = read_scope(connection, tenant, project)
        if scope is None:
            raise UnknownProject(
                f"there is no project {project!r} in tenant {tenant!r}: ingest something into it first with"
                f" `mobius ingest PATH --project {project}`, or see the ones there are with `mobius runs`."
            )
        return scope

    def sources_of(self, tenant: str, project: str) -> list[SourceRef]:
        """Return a project's sources; none where the project does not exist yet."""
        try:
            scope = self.scope_of(tenant, project)
        except UnknownProject:
            return []
        with transaction(self._engine) as connection:
            rows = connection.execute(_SOURCES, {"project": scope.project_id}).all()
        return [SourceRef(row[0], scope, tenant, project, row[1], row[2]) for row in rows]


def read_scope(connection: Connection, tenant: str, project: str) -> Scope | None:
    """Return the scope of a project; None if the tenant has none of that name."""
    row = connection.execute(_SCOPE, {"tenant": tenant, "project": project}).one_or_none()
    return None if row is None else Scope(*row)


def _upsert(connection: Connection, statement: TextClause, **values: object) -> UUID:
    return UUID(str(connection.execute(statement, {"id": uuid4(), **values}).scalar_one()))
