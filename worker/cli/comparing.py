"""Compare ledger and index with the services of a command: what ``mobius reconcile`` does before it prints."""

from __future__ import annotations

from pipeline.reconciliation import PassReport
from tasks.reconciliation_pass import reconcile
from worker.cli.names import Names
from worker.cli.services import Services
from worker.reconciling import reconcile_context


def compare(
    services: Services, tenant: str | None, project: str | None, *, is_repair: bool, allow_delete: bool
) -> PassReport | None:
    """Run one pass over a project, or over everything where none is named; None where another one is running.

    Raises:
        MisconfiguredError: There is no such project, or the index is not one of this model.
        ServiceUnavailable: Index or ledger does not answer.
    """
    scope = None
    if project is not None:
        names = Names.of(services.settings, tenant, project)
        scope = services.sources.scope_of(names.tenant, names.project)
    context = reconcile_context(services.settings, services.engine, services.index, services.model)
    return reconcile(context, scope, is_repair=is_repair, allow_delete=allow_delete)
