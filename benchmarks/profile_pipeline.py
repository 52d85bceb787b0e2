"""Profile the pipeline's stages: ``python -m benchmarks.profile_pipeline TREE`` prints JSON.

One process plans as the producer does, takes slices as the dispatcher does, and runs every stage's task as a worker
does, claim and heartbeat included, but without messages in between.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.profiling import Profiles, main, warm_and_run
from pipeline.types import Priority, Token
from tasks.queues import task_name
from worker.app import app
from worker.cli.names import Names
from worker.cli.producing import produce
from worker.cli.services import Services
from worker.cli.watching import PlanNotes
from worker.observability.logs import configure_logs
from worker.settings import load_settings


def profiled(tree: Path, profiles: Profiles) -> None:
    """Plan the tree and work its slices off, one after the other."""
    configure_logs("warning", "json")
    settings = load_settings()
    services = Services(settings)
    app.loader.import_default_modules()
    context = app.stage_context

    def take_in(path: Path) -> None:
        with profiles("plan"):
            names = Names(settings.tenant, settings.project)
            produce(services, path, names, Priority.NORMAL, PlanNotes(quiet=True), allow_delete=False)
        while True:
            with profiles("dispatch"):
                tokens = context.ledger.take_ready(1, oldest_first=True)
            if not tokens:
                return
            _work_off(tokens[0], profiles)

    warm_and_run(take_in, tree, profiles)
    context.embedder.close()


def _work_off(token: Token, profiles: Profiles) -> None:
    for offset, stage in enumerate(token.stage.following()):
        with profiles(stage.value):
            app.tasks[task_name(stage)](str(token.slice_id), stage.value, token.seq + offset)


if __name__ == "__main__":
    main(profiled)
