"""Take an upload in: plan a run over its files, which commits them before anything is sent anywhere."""

from __future__ import annotations

from uuid import UUID

from models.intake import Intake
from models.sources import UPLOADED, Sources
from pipeline.policy import Skip
from tasks.planning import PlanOptions, plan_run
from worker.api.schemas import SkippedFile, UploadAccepted
from worker.api.services import ApiServices
from worker.api.uploads import Upload
from worker.chunking import versions
from worker.sources.upload import UploadSource

#: Seconds to wait while somebody else plans the same source; a client's patience is shorter than a command's.
PATIENCE = 20.0


class _PlanNotes:
    """Remembers what a plan did."""

    def __init__(self) -> None:
        self.accepted = 0
        self.skips: list[Skip] = []

    def opened(self, run_id: UUID) -> None:
        """The plan's result says the same."""

    def waiting(self) -> None:
        """Nobody could be told yet."""

    def planned(self, _seen: int, accepted: int) -> None:
        """Remember how many files were taken on."""
        self.accepted = accepted

    def skipped(self, skip: Skip) -> None:
        """Remember a file that is no document."""
        self.skips.append(skip)


def take_in(services: ApiServices, tenant: str, project: str, upload: Upload) -> UploadAccepted:
    """Commit the files and return what became of each; they are closed then. Blocks: run it in a thread.

    Raises:
        SourceBusy: Somebody else plans the same source for too long.
        ServiceUnavailable: Postgres does not answer.
    """
    settings = services.settings
    files = UploadSource(upload.files, settings.policy)
    try:
        ref = Sources(services.engine).resolve(tenant, project, upload.source, UPLOADED)
        options = PlanOptions(
            versions=versions(services.settings),
            priority=upload.priority,
            slice_documents=settings.slice_documents,
            slice_bytes=settings.slice_bytes,
            skip_traits=settings.policy.skip_traits,
            patience=PATIENCE,
        )
        notes = _PlanNotes()
        run_id = plan_run(Intake(services.engine), files, ref, options, notes)
    finally:
        files.close()
    return UploadAccepted(
        run_id=run_id,
        project=project,
        source=upload.source,
        accepted=notes.accepted,
        unchanged=len(upload.files) - notes.accepted - len(notes.skips),
        skipped=[SkippedFile(skip.path, skip.reason.value, skip.message) for skip in notes.skips],
    )
