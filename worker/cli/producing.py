"""Open what a user names, find its source and plan a run over it: what `mobius ingest` does before it waits."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from models.intake import Intake
from models.sources import Sources
from pipeline.types import Priority
from tasks.planning import PlanOptions, PlanReporter, plan_run
from worker.cli.names import Names
from worker.cli.output import note, printable
from worker.cli.services import Services
from worker.cli.targets import Target, locate, open_path
from worker.embedding import versions


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
        versions=versions(services.settings),
        priority=priority,
        allow_delete=allow_delete,
        delete_share=settings.delete_share,
        slice_documents=settings.slice_documents,
        slice_bytes=settings.slice_bytes,
        skip_traits=policy.skip_traits,
    )
    files = open_path(path, policy)
    try:
        services.require_index()
        target = locate(files, path, Sources(services.engine), names, policy)
        files = target.files
        _announce(path, target)
        return plan_run(Intake(services.engine), files, target.ref, options, plan_notes)
    finally:
        files.close()


def _announce(path: Path, target: Target) -> None:
    ref = target.ref
    note(f"ingesting {printable(str(path))} into project {ref.project}, source {printable(ref.name)}")
    for other in target.inside:
        note(
            f"  source {printable(other.name)} lies inside it, so the files there are found twice; "
            "use one of the two, or another --project"
        )
