"""Open what a user names, find its source and plan a run over it: what `mobius ingest` does before it waits.

Afterwards it asks whether the workers have worked by the same settings.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from models.intake import Intake
from pipeline.choices import Priority
from pipeline.errors import MisconfiguredError
from tasks.planning import PlanOptions, PlanReporter, plan_run
from worker.adapters.qdrant_probe import require_room
from worker.chunking import versions
from worker.cli.names import Names
from worker.cli.output import note, printable
from worker.cli.services import Services
from worker.cli.targets import Target, locate, open_path
from worker.embedding import qdrant_key


def produce(
    services: Services, path: Path, names: Names, priority: Priority, plan_notes: PlanReporter, *, allow_delete: bool
) -> UUID:
    """Plan a run over a path and return its id; everything it takes on is committed then.

    The path is looked at first, then the index: neither a misspelt path nor a wrong index leaves a trace.

    Raises:
        MisconfiguredError: The path, the index or the database is not usable.
        TransientError: A service does not answer, or another producer does not finish with the same source.
    """
    settings = services.settings
    policy = settings.policy
    options = PlanOptions(
        versions=versions(settings),
        priority=priority,
        allow_delete=allow_delete,
        delete_share=settings.delete_share,
        slice_documents=settings.slice_documents,
        slice_bytes=settings.slice_bytes,
        skip_traits=policy.skip_traits,
    )
    files = open_path(path, policy)
    try:
        _require_index(services)
        target = locate(files, path, services.sources, names, policy)
        files = target.files
        _announce(path, target)
        return plan_run(Intake(services.engine), files, target.ref, options, plan_notes)
    finally:
        files.close()


def require_same_versions(services: Services, run_id: UUID) -> None:
    """Refuse to report a model that the workers did not use.

    Raises:
        MisconfiguredError: They use another; the next run would take the documents for outdated, and every next one.
    """
    ours = versions(services.settings)
    theirs = services.views.other_versions(run_id, ours)
    if theirs:
        raise MisconfiguredError(
            f"run {run_id} was indexed by other settings than this command has.\n"
            f"  workers: {theirs}\n  here:    {ours}\n"
            "Run both with the same MOBIUS_EMBEDDER and model (`mobius down` and `mobius up` restart the local "
            "workers with the settings of this shell), then ingest again."
        )


def _require_index(services: Services) -> None:
    """Find a wrong index out now, not when the first slice reaches the last stage and is paid for.

    Raises:
        DimensionMismatch, BadCredentials, WrongAddress: An operator must act.
        ServiceUnavailable: It does not answer.
    """
    settings = services.settings
    require_room(settings.require("qdrant_url"), qdrant_key(settings), services.model)


def _announce(path: Path, target: Target) -> None:
    ref = target.ref
    note(f"ingesting {printable(str(path))} into project {ref.project}, source {printable(ref.name)}")
    for other in target.inside:
        note(
            f"  source {printable(other.name)} lies inside it, so the files there are found twice; "
            "use one of the two, or another --project"
        )
