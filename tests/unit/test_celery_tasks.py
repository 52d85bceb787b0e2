"""Every task of ours has a queue, every queue a worker, and every tick of beat its task."""

from __future__ import annotations

from pathlib import Path

from celery import Celery

import tasks.ingest
import tasks.maintenance
import tasks.reconcile
from pipeline.types import Stage
from tasks.queues import CONTROL, ROUTES
from worker.local.fleet import FleetOptions, specs
from worker.local.state import Home


def our_tasks(celery_app: Celery) -> set[str]:
    celery_app.finalize()
    modules = (tasks.ingest, tasks.maintenance, tasks.reconcile)
    assert {module.__name__ for module in modules} == set(celery_app.conf.imports)
    return {name for name in celery_app.tasks if name.startswith("mobius.")}


def test_every_task_is_routed_and_every_route_is_a_task(celery_app: Celery) -> None:
    assert our_tasks(celery_app) == set(celery_app.conf.task_routes) == set(ROUTES)


def test_every_task_has_a_queue_that_a_worker_of_the_local_fleet_consumes(celery_app: Celery, tmp_path: Path) -> None:
    consumed: list[str] = []
    for spec in specs(Home(tmp_path), FleetOptions(), flower_port=1, api_port=2, services=()):
        if spec.name.startswith("worker-"):
            consumed += spec.argv[spec.argv.index("-Q") + 1].split(",")
    assert sorted(consumed) == sorted([*(stage.value for stage in Stage), CONTROL])
    for name in our_tasks(celery_app):
        assert celery_app.amqp.router.route({}, name)["queue"].name in consumed


def test_every_beat_entry_is_one_of_our_tasks_and_worthless_before_the_next_one(celery_app: Celery) -> None:
    assert celery_app.conf.beat_schedule
    for entry in celery_app.conf.beat_schedule.values():
        assert entry["task"] in our_tasks(celery_app)
        assert entry["options"]["queue"] == celery_app.amqp.router.route({}, entry["task"])["queue"].name
        assert 0 < entry["options"]["expires"] <= entry["schedule"]
